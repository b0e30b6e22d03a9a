#include "reading_command.hpp"

#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include "number_option.hpp"

void add_reading_options(CLI::App& app, reading_options& reading) {
  std::map<std::string, chat_template> const templates{
      {"plain", chat_template::plain}, {"chatml", chat_template::chatml}, {"llama3", chat_template::llama3}};
  std::map<std::string, score_use> const uses{{"margin", score_use::margin}, {"label", score_use::label}};
  app.add_option("--chat-template", reading.format, "how lists of messages become text; by default plain")
      ->type_name("plain|chatml|llama3")
      ->transform(CLI::CheckedTransformer(templates).description(""));
  app.add_option(
         "--scores", reading.scores,
         "makes the scores of chosen and rejected (score_chosen, score_rejected) the margin, their difference, or "
         "the label, the sigmoid of it; by default they are left alone")
      ->type_name("margin|label")
      ->transform(CLI::CheckedTransformer(uses).description(""));
  reading.limits.line_option = "--line-limit";
  reading.limits.text_option = "--text-limit";
  auto const add_limit = [&](std::string_view option, auto& bytes, std::string const& what) {
    using limit = std::remove_reference_t<decltype(bytes)>;
    std::string const name{option};
    app.add_option_function<std::string>(
           name,
           [&bytes, name](std::string const& text) { bytes = whole_number<limit>(name, text, 1, 1'000'000) << 20; },
           "MiB that " + what + " may have; by default " + std::to_string(bytes >> 20))
        ->type_name("N");
  };
  add_limit(reading.limits.line_option, reading.limits.line, "a line of the data (an element of an array, a row)");
  add_limit(reading.limits.text_option, reading.limits.text, "all of the data, unpacked,");
}
