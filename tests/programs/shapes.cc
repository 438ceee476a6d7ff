// shapes N: C++ names to probe: namespaces, overloads, templates, a method; doubled<int>(i). Each is called N times.
#include <cstdio>
#include <cstdlib>

#define KEPT __attribute__((noinline, noclone))

volatile double sink;

namespace geo {
KEPT int area(int side) { sink = side; return side * side; }
KEPT double area(double side) { sink = side; return side * side; }

template <class T>
struct Box {
  T side;
  KEPT T grow(T by) { sink = static_cast<double>(by); return side += by; }
};

template <class T>
KEPT T largest(T a, T b) { sink = static_cast<double>(a); return a < b ? b : a; }
}  // namespace geo

template <class T>
KEPT T doubled(T a) { sink = static_cast<double>(a); return a + a; }

int main(int argc, char** argv) {
  const long n = argc > 1 ? std::atol(argv[1]) : 1;
  geo::Box<int> box{1};
  for (long i = 1; i <= n; ++i) {
    geo::area(static_cast<int>(i));
    geo::area(static_cast<double>(i));
    box.grow(2);
    geo::largest<long>(i, 7);
    doubled<int>(static_cast<int>(i));
  }
  std::printf("calls %ld\n", n);
}
