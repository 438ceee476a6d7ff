// objects N: C++ arguments by name: `this`, references, base classes, a class that is passed by reference though it is written by value. For i = 1 .. N:
//   geo::Circle::scale(this = {label = "round", id = 3, radius = i}, by = 2)
//   geo::measure({3, 4} by reference)       geo::keep(a std::string of five letters)
#include <cstdio>
#include <cstdlib>
#include <string>

#define KEPT __attribute__((noinline, noclone))

volatile double sink;

namespace geo {
struct Shape {
  char label[8] = "round";
  int id = 3;
};
struct Circle : Shape {
  static int count;
  long radius = 0;
  KEPT long scale(int by) { sink = by; return radius * by; }
};
int Circle::count = 0;
struct Pair { int first, second; };
KEPT int measure(const Pair& pair) { sink = pair.first; return pair.second; }
KEPT std::size_t keep(std::string text) { sink = text.size(); return text.size(); }
}  // namespace geo

int main(int argc, char** argv) {
  const long n = argc > 1 ? std::atol(argv[1]) : 1;
  for (long i = 1; i <= n; ++i) {
    geo::Circle circle;
    circle.radius = i;
    circle.scale(2);
    geo::measure({3, 4});
    geo::keep("abcde");
  }
  std::printf("calls %ld\n", n);
}
