package ssh

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// socketVariable names the socket of the test that a command of sshd's belongs to: this program, run again.
const socketVariable = "GUESTCLUSTERING_TEST_SOCKET"

func TestMain(m *testing.M) {
	if socket := os.Getenv(socketVariable); socket != "" {
		if err := standIn(socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// greeting is what a command tells its test, and orders what it is told.
type (
	greeting struct {
		Host, CommandLine string
		PID               int
	}
	orders struct {
		// Become is the argument vector of the program to become, with Environment; nothing stands for being a relay.
		Become, Environment []string
	}
)

// standIn is a command on a host: it becomes the program that the test names, or gives its streams to the test.
func standIn(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	hello := greeting{Host: os.Getenv("GUESTCLUSTERING_TEST_HOST"), CommandLine: os.Getenv("SSH_ORIGINAL_COMMAND"), PID: os.Getpid()}
	if err := json.NewEncoder(conn).Encode(hello); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o orders
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	if len(o.Become) > 0 {
		return become(conn.(*net.UnixConn), o)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, in)
	return err
}

// become replaces this process. The connection goes along, so that the test sees when it ends.
func become(conn *net.UnixConn, o orders) error {
	file, err := conn.File()
	if err != nil {
		return err
	}
	if _, err := syscall.Dup(int(file.Fd())); err != nil { // Dup's descriptor is not closed on exec.
		return err
	}
	return syscall.Exec(o.Become[0], o.Become, o.Environment)
}

// arguments are those of a command line of the session's: a quoted one is its last.
func arguments(commandLine string) []string {
	plain, quoted, has := strings.Cut(commandLine, ` "`)
	args := strings.Fields(plain)[1:]
	if has {
		args = append(args, strings.TrimSuffix(quoted, `"`))
	}
	return args
}
