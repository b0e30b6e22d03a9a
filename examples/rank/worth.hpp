#pragma once

/// A log-worth as a sum of two numbers, the second far below the last digit of the first: so the difference of two worths
/// that lie far from 0 has all the digits of a number.
class worth {
 public:
  double value() const { return value_; }

  void add(double change) {
    change += rest_;
    double const sum = value_ + change;
    double const added = sum - value_;
    rest_ = (value_ - (sum - added)) + (change - added);  // what rounding lost (Knuth's two-sum)
    value_ = sum;
  }

  friend double operator-(worth const& a, worth const& b) { return (a.value_ - b.value_) + (a.rest_ - b.rest_); }

 private:
  double value_ = 0, rest_ = 0;
};
