// callbacks: Go calls C calls Go, three times, below main() and two times below a goroutine, and at last C calls getppid(). C has no frame pointers.
package main

/*
#cgo CFLAGS: -O2 -fomit-frame-pointer
#include <unistd.h>
extern void goBack(int);
static __attribute__((noinline)) void inC(int n) {
  volatile char room[n * 16 + 16];
  room[0] = 1;
  goBack(n - 1);
  room[1] = 2;
}
static __attribute__((noinline)) void bottom(void) {
  getppid();
  __asm__ volatile("");
}
*/
import "C"

//export goBack
func goBack(n C.int) {
	if n == 0 {
		C.bottom()
	} else {
		C.inC(n)
	}
}

//go:noinline
func start(n int) { C.inC(C.int(n)) }

func main() {
	start(3)
	done := make(chan int)
	go func() { start(2); done <- 1 }()
	<-done
}
