package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

var begin = time.Now()

// say prints a line with the seconds since the start.
func say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
}

// chapter prints a heading.
func chapter(title string) {
	fmt.Printf("\n== %s %s\n", title, strings.Repeat("=", max(0, 100-len(title))))
}

// poll asks until it is so, or fails with what did not come.
func poll(ctx context.Context, limit time.Duration, otherwise string, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := is()
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				return ctx.Err()
			}
			return fmt.Errorf("%s within %s", otherwise, limit)
		case <-tick.C:
		}
	}
}
