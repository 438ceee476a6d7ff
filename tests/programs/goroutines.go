// goroutines MS: bottom() is called below main() and below a goroutine; then main() asks for the time in spin() for so long, which is a call
// of the vDSO on another stack, and signals interrupt it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

type counter struct{ n int }

var sink int

//go:noinline
func bottom() { sink++ }

//go:noinline
func descend(n int) int {
	if n == 0 {
		bottom()
		return 0
	}
	return descend(n-1) + 1
}

//go:noinline
func (c *counter) count(n int) int { return descend(n) + c.n }

//go:noinline
func spin(ms int) {
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	for time.Now().Before(end) {
		sink++
	}
}

func main() {
	ms, _ := strconv.Atoi(os.Args[1])
	c := &counter{1}
	total := c.count(3)
	done := make(chan int)
	go func() { done <- c.count(2) }()
	total += <-done
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	go func() {
		for {
			time.Sleep(5 * time.Millisecond)
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		}
	}()
	spin(ms)
	fmt.Println("calls", total)
}
