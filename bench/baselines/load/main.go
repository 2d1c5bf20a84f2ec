// Command load sends a fixed number of AdmissionReviews to one webhook over TLS and
// prints, as one line of JSON, how fast they were answered. Half of the reviews are to
// be allowed and half denied; every answer's uid and verdict is checked.
//
// Connections are kept alive as long as the server lets them. After the warm-up it
// prints "warm" and waits for a line on standard input, so that whoever measures the
// server reads its counters between the two.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// What stands in the review files where each request's own uid goes.
	placeholder = "00000000-0000-4000-8000-000000000000"
	// What every denial has to say.
	denial = "Pod must have an app label"
	// The head that kube-apiserver's webhook client sends.
	head = "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-apiserver-admission\r\n" +
		"Content-Length: %d\r\nAccept: application/json, */*\r\n" +
		"Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
	// How long one exchange may take before it counts as an error.
	patience = 30 * time.Second
)

type settings struct {
	address     string
	path        string
	tls         *tls.Config
	connections int
	reviews     [2][]byte // to be allowed, to be denied
}

type answer struct {
	Response struct {
		UID     string `json:"uid"`
		Allowed bool   `json:"allowed"`
		Status  struct {
			Message string `json:"message"`
		} `json:"status"`
	} `json:"response"`
}

type report struct {
	Requests          int     `json:"requests"`
	Errors            int     `json:"errors"`
	FirstError        string  `json:"first_error,omitempty"`
	Connects          int64   `json:"connects"`
	Seconds           float64 `json:"seconds"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	P50Seconds        float64 `json:"p50_seconds"`
	P99Seconds        float64 `json:"p99_seconds"`
}

// message is one request as it goes over the wire, and where its uid stands in it.
type message struct {
	wire []byte
	uid  []byte
}

func newMessage(settings *settings, review []byte) (message, error) {
	at := bytes.Index(review, []byte(placeholder))
	if at < 0 {
		return message{}, fmt.Errorf("no uid %s in the review", placeholder)
	}
	wire := fmt.Appendf(nil, head, settings.path, settings.address, len(review))
	at += len(wire)
	wire = append(wire, review...)
	return message{wire: wire, uid: wire[at : at+len(placeholder)]}, nil
}

// connection is one keep-alive connection, dialled again when the server closes it.
type connection struct {
	settings *settings
	messages [2]message
	socket   *tls.Conn
	reader   *bufio.Reader
	connects *atomic.Int64
}

func (c *connection) dial() error {
	plain, err := dialPolled(c.settings.address)
	if err != nil {
		return err
	}
	socket := tls.Client(plain, c.settings.tls)
	if err := socket.Handshake(); err != nil {
		plain.Close()
		return err
	}
	c.socket, c.reader = socket, bufio.NewReader(socket)
	c.connects.Add(1)
	return nil
}

func (c *connection) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// exchange sends the request of this number and checks what comes back.
func (c *connection) exchange(number int) error {
	if c.socket == nil {
		if err := c.dial(); err != nil {
			return err
		}
	}
	denied := number % 2
	message := c.messages[denied]
	copy(message.uid[24:], fmt.Sprintf("%012x", number))
	if err := c.socket.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.socket.Write(message.wire); err != nil {
		return err
	}
	reply, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.Close {
		c.close()
	}
	return check(reply.StatusCode, body, string(message.uid), denied == 0)
}

func check(code int, body []byte, uid string, allowed bool) error {
	if code != http.StatusOK {
		return fmt.Errorf("HTTP %d: %.200s", code, body)
	}
	var got answer
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	switch {
	case got.Response.UID != uid:
		return fmt.Errorf("uid %q in the answer to %q", got.Response.UID, uid)
	case got.Response.Allowed != allowed:
		return fmt.Errorf("allowed: %t where it is not", got.Response.Allowed)
	case !allowed && !strings.Contains(got.Response.Status.Message, denial):
		return fmt.Errorf("denied with %q", got.Response.Status.Message)
	}
	return nil
}

// drive sends the requests numbered first to first+count-1 over all the connections.
func drive(connections []*connection, first, count int) report {
	taken := make([]time.Duration, count)
	failures := make([]error, len(connections))
	var next, errors atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for index, connection := range connections {
		group.Go(func() {
			for {
				turn := int(next.Add(1)) - 1
				if turn >= count {
					return
				}
				begin := time.Now()
				err := connection.exchange(first + turn)
				taken[turn] = time.Since(begin)
				if err != nil {
					connection.close()
					errors.Add(1)
					failures[index] = err
				}
			}
		})
	}
	group.Wait()
	elapsed := time.Since(start)
	slices.Sort(taken)
	result := report{
		Requests: count, Errors: int(errors.Load()), Seconds: elapsed.Seconds(),
		RequestsPerSecond: float64(count) / elapsed.Seconds(),
		P50Seconds:        taken[count/2].Seconds(),
		P99Seconds:        taken[count*99/100].Seconds(),
	}
	for _, err := range failures {
		if err != nil {
			result.FirstError = err.Error()
			break
		}
	}
	return result
}

func open(settings *settings, connects *atomic.Int64) ([]*connection, error) {
	connections := make([]*connection, settings.connections)
	for index := range connections {
		made := &connection{settings: settings, connects: connects}
		for which, review := range settings.reviews {
			message, err := newMessage(settings, review)
			if err != nil {
				return nil, err
			}
			made.messages[which] = message
		}
		connections[index] = made
	}
	return connections, nil
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}, nil
}

func main() {
	log.SetFlags(0)
	settings := &settings{}
	flag.StringVar(&settings.address, "address", "127.0.0.1:8443", "the webhook's host and port")
	flag.StringVar(&settings.path, "path", "/validate?timeout=10s", "the webhook's path")
	flag.IntVar(&settings.connections, "connections", 16, "how many at once")
	ca := flag.String("ca-file", "", "the authority of the webhook's certificate, PEM")
	allowed := flag.String("allowed", "", "a review that the webhook allows")
	denied := flag.String("denied", "", "a review that the webhook denies")
	warmup := flag.Int("warmup", 1000, "requests before the measurement")
	requests := flag.Int("requests", 10000, "requests in the measurement")
	flag.Parse()

	var err error
	if settings.tls, err = trust(*ca); err != nil {
		log.Fatal(err)
	}
	for which, file := range []string{*allowed, *denied} {
		if settings.reviews[which], err = os.ReadFile(file); err != nil {
			log.Fatal(err)
		}
	}
	var connects atomic.Int64
	connections, err := open(settings, &connects)
	if err != nil {
		log.Fatal(err)
	}
	drive(connections, 0, max(*warmup, 1))
	fmt.Println("warm")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		log.Fatal(err)
	}
	connects.Store(0)
	result := drive(connections, *warmup, *requests)
	result.Connects = connects.Load()
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
