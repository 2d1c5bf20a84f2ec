package main

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

// polled is a TCP connection that is read by asking again and again, never by sleeping.
//
// Whoever writes to a sleeper wakes it. Across cores, above all virtual ones, that costs
// the writer as much as a whole review, and whether it happens depends on who is faster:
// servers near the load generator's own speed would be measured at twice their cost in
// some rounds. A client that never sleeps makes no server pay for waking it.
type polled struct {
	net.Conn
	raw      syscall.RawConn
	deadline time.Time
}

func dialPolled(address string) (*polled, error) {
	plain, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	raw, err := plain.(*net.TCPConn).SyscallConn()
	if err != nil {
		plain.Close()
		return nil, err
	}
	return &polled{Conn: plain, raw: raw, deadline: time.Now().Add(patience)}, nil
}

// SetDeadline says until when Read asks.
func (p *polled) SetDeadline(deadline time.Time) error {
	p.deadline = deadline
	return nil
}

// Read returns what has arrived, as soon as something has.
func (p *polled) Read(into []byte) (int, error) {
	for turn := 1; ; turn++ {
		count, err := 0, error(nil)
		// The function says that it is done, so that it is called once and not parked.
		if failed := p.raw.Read(func(descriptor uintptr) bool {
			count, err = syscall.Read(int(descriptor), into)
			return true
		}); failed != nil {
			return 0, failed
		}
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil:
			return 0, err
		case count == 0:
			return 0, io.EOF
		default:
			return count, nil
		}
		// The clock is read now and then only.
		if turn%1024 == 0 && time.Now().After(p.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		runtime.Gosched()
	}
}
