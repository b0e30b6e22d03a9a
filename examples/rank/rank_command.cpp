#include "rank_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <thread>

#include "command_line.hpp"
#include "number_option.hpp"
#include "number_text.hpp"

namespace {

constexpr char const* about =
    "Worths of items from comparisons, P(i wins against j) = 1 / (1 + exp(worth_j - worth_i)) (Bradley-Terry), or from "
    "rankings: of the items that are left each comes next with a probability proportional to exp(worth) "
    "(Plackett-Luce). Standard output: item,worth,stderr and the log-likelihood. Standard error: a summary.";

constexpr char const* about_files =
    R"help(Files are plain, gzip or zstd. Comparisons, as CSV or as JSON objects with these keys, one a line or in one array:
  winner,loser,count        count may be missing
  model_a,model_b,winner    battles: model_a, model_b, tie, "tie (bothbad)" or "tie (inconsistent)"; or three columns
                            winner_model_a, winner_model_b, winner_tie with 0 and 1; also left,right,winner;
                            left,right,label, whose label is the winner's name; item_a,item_b; player_a,player_b.
                            Further columns are not read, and neither is pandas' index

Rankings, one a line, of any lengths and over any items; lines that begin with # are skipped:
  tea > coffee > water      the best first; "quotes" around a name with > = " or a number and a colon in front
  12: tea > coffee > water  the same 12 times (a number >= 0); all lines have a count, or none
  tea > coffee = water      tea was chosen from the three, the rest have no order; = in the last place only
  tea = coffee > water      with --ties: tea and coffee are tied, and so are items in the last place
Items that a line does not name were not there to be chosen. Files of PrefLib (soc, soi, toc, toi) are recognized by
their lines "# ALTERNATIVE NAME 1: ...": 12: 3,1,{2,4}; or, the older ones, by their first lines.

Ties:
  half        half a win and half a loss; of several tied items every order alike
  davidson    P(tie) = tie2 sqrt(P(win) P(loss)); in rankings tie2, tie3, ... for ties of so many (Davidson-Luce)
  rao-kupper  a tie is a difference below log theta; comparisons of two only
The parameters and their standard errors stand above the log-likelihood.

Priors, for data in which some never lose or never win:
  ghost[:N]   each item has N wins and N losses (0.5) against one more item, as npseudo of R's PlackettLuce
  normal:SD   worths are normal with that standard deviation

Examples:
  prefopt_rank comparisons.csv
  prefopt_rank --zero tea comparisons.csv
  prefopt_rank rankings.txt
  prefopt_rank netflix.soc
  prefopt_rank --ties half --scale elo --bootstrap 1000 --best-first battles.jsonl
  printf 'a>b>c\nb>c>a\nc>a\n' | prefopt_rank)help";

prior parse_prior(std::string const& text) {
  std::size_t const colon = text.find(':');
  std::string const name = text.substr(0, colon);
  bool const is_ghost = name == "ghost";
  parsed_number<double> parsed{0.5, is_ghost ? "" : "no number"};
  if (colon != std::string::npos) parsed = parse_number<double>(std::string_view{text}.substr(colon + 1));
  auto const& [size, problem] = parsed;
  if ((!is_ghost && name != "normal") || !problem.empty() || !std::isfinite(size) || !(size > 0)) {
    throw input_error{"--prior: got " + in_quotes(text) + ", expected ghost, ghost:N or normal:SD with a number > 0"};
  }
  return {is_ghost ? prior::form::ghost : prior::form::normal, size};
}

void require(bool holds, char const* option, double got, char const* expected) {
  if (!holds) throw input_error{std::string{option} + ": got " + number_text(got) + ", expected " + expected};
}

}  // namespace

std::optional<rank_command> parse_rank_command(int argc, char** argv) {
  rank_command command;
  elo_scale elo;
  std::string ties, others, scale = "worth", before;
  std::optional<std::string> anchor;
  command.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App app{about, "prefopt_rank"};
  app.footer(about_files);
  app.add_option(
      "FILE", command.file,
      "comparisons or rankings, see below; \"-\" or nothing is standard input; lines that begin with # are skipped");
  app.add_flag("--rankings", command.has_rankings,
               "FILE has rankings, see below; known by itself where its first line has a >")
      ->disable_flag_override();
  app.add_option("--by", command.by, "fits the comparisons of each text in this column apart")->type_name("COLUMN");
  app.add_option("--unnamed", others,
                 "items that a ranking does not name: absent, not there to be chosen, or last, left by it")
      ->check(CLI::IsMember({"absent", "last"}))
      ->type_name("WHERE")
      ->default_str("absent");
  app.add_option("--ties", ties, "how ties count, see below: half, davidson or rao-kupper")
      ->check(CLI::IsMember({"half", "davidson", "rao-kupper"}))
      ->type_name("MODEL");
  app.add_option("--prior", before, "keeps worths finite, see below: ghost, ghost:N or normal:SD")->type_name("PRIOR");
  app.add_option("--zero", command.zero, "the item whose worth is 0; by default the first one in the file")
      ->type_name("ITEM");
  app.add_option("--scale", scale, "worth, or elo: ratings instead of worths")
      ->check(CLI::IsMember({"worth", "elo"}))
      ->type_name("SCALE")
      ->capture_default_str();
  app.add_option("--elo-base", elo.base, "odds of base to one ...")->type_name("BASE")->capture_default_str();
  app.add_option("--elo-scale", elo.points, "... are so many points")->type_name("POINTS")->capture_default_str();
  app.add_option("--anchor", anchor, "the item with the anchor's rating; by default the first one in the file")
      ->type_name("ITEM");
  app.add_option("--anchor-rating", elo.anchor_rating, "its rating")->type_name("RATING")->capture_default_str();
  number_option stderr_limit{
      app, "--stderr-limit",
      "with more items than this the column stderr stays empty: it takes a dense matrix of items x items"};
  stderr_limit.option().type_name("ITEMS")->default_str(std::to_string(command.most_with_errors));
  number_option rounds{
      app, "--bootstrap",
      "fits to data drawn from the data so often: the columns lower and upper (2.5 and 97.5 % of the worths) and "
      "rank (1 and how many are worth more in 97.5 % of the rounds)"};
  rounds.option().type_name("ROUNDS");
  number_option seed{app, "--seed", "of the draws"};
  seed.option().type_name("SEED")->default_str(std::to_string(command.seed));
  number_option threads{app, "--threads", "for the bootstrap; by default all cores"};
  threads.option().type_name("THREADS");
  app.add_flag("--best-first", command.best_first, "rows in the order of the worths, not of the file")
      ->disable_flag_override();
  app.add_option(
         "--picture", command.picture,
         "draws the worths, best first, with intervals (of the bootstrap, or 1.96 standard errors) into this folder")
      ->type_name("FOLDER");
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);

  std::map<std::string, tie_model> const models{{"", tie_model::none},
                                                {"half", tie_model::half},
                                                {"davidson", tie_model::davidson},
                                                {"rao-kupper", tie_model::rao_kupper}};
  command.ties = models.at(ties);
  if (others == "last") command.others = unnamed::last;
  if (!before.empty()) command.before = parse_prior(before);
  if (scale == "elo") {
    require(elo.base > 1 && std::isfinite(elo.base), "--elo-base", elo.base, "a number > 1");
    require(elo.points > 0 && std::isfinite(elo.points), "--elo-scale", elo.points, "a number > 0");
    require(std::isfinite(elo.anchor_rating), "--anchor-rating", elo.anchor_rating, "a finite number");
    command.elo = elo;
    if (anchor && command.zero) throw input_error{"--zero: not with --anchor, which names the same item"};
    if (anchor) command.zero = anchor;
  } else {
    for (auto const* option : {"--elo-base", "--elo-scale", "--anchor", "--anchor-rating"}) {
      if (app.count(option) != 0) throw input_error{std::string{option} + ": only with --scale elo"};
    }
  }
  stderr_limit.whole<std::size_t>(command.most_with_errors, 0, std::numeric_limits<std::size_t>::max());
  rounds.whole<std::size_t>(command.bootstrap_rounds, 2, 1'000'000);
  for (auto* option : {&seed, &threads}) {
    if (option->is_given() && !rounds.is_given())
      throw input_error{option->option().get_name() + ": only with --bootstrap"};
  }
  seed.whole<std::uint64_t>(command.seed, 0, std::numeric_limits<std::uint64_t>::max());
  threads.whole<std::size_t>(command.threads, 1, 1024);
  return command;
}
