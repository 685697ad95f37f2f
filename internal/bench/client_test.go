package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// connections is how many clients ask at the same time.
const connections = 8

// target is one path of one server.
type target struct {
	address string
	request []byte
	size    int // of the body, in bytes
}

// newTarget is a GET with a token; both servers are sent the same bytes.
func newTarget(address, path, token string, size int) target {
	return target{address: address, size: size, request: fmt.Appendf(nil,
		"GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n",
		path, address, token)}
}

// fleet is a fixed number of kept-alive connections to one target. The client
// is written by hand, because all that it costs is taken from both servers'
// time alike and makes a slow one look better than it is.
type fleet struct {
	target
	links []*link
}

type link struct {
	net.Conn
	in *bufio.Reader
}

func connect(b *testing.B, to target) *fleet {
	b.Helper()
	f := &fleet{target: to}
	for range connections {
		conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", to.address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		f.links = append(f.links, &link{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)})
	}
	return f
}

// load asks as fast as it can, on all connections, for so long. It returns how
// many answers came, and in which time.
func (f *fleet) load(b *testing.B, span time.Duration) (answers int, took time.Duration) {
	b.Helper()
	began := time.Now()
	counts := make([]int, len(f.links))
	failures := make([]error, len(f.links))
	var working sync.WaitGroup
	for i, l := range f.links {
		working.Go(func() {
			for failures[i] == nil && time.Since(began) < span {
				failures[i] = l.ask(f.target)
				counts[i]++
			}
		})
	}
	working.Wait()
	took = time.Since(began)
	if err := errors.Join(failures...); err != nil {
		b.Fatal(err)
	}
	for _, n := range counts {
		answers += n
	}
	return answers, took
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
)

// ask makes one request and reads its answer to the end.
func (l *link) ask(to target) error {
	if _, err := l.Write(to.request); err != nil {
		return err
	}
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, statusOK) {
		return fmt.Errorf("the server answers %s", line)
	}
	size := -1
	for len(line) > len("\r\n") {
		if line, err = l.in.ReadSlice('\n'); err != nil {
			return err
		}
		if value, ok := bytes.CutPrefix(line, contentLength); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if size != to.size {
		return fmt.Errorf("the answer has %d bytes, not %d", size, to.size)
	}
	_, err = io.CopyN(io.Discard, l.in, int64(size))
	return err
}
