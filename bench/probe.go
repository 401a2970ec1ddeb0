package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/d74363f0/strand/bench/app"
)

// probe asks for what wrk will ask for and compares the answers byte by byte,
// since wrk itself looks at the status line only. It uses one connection for
// all requests, or one for each if w closes them.
func (w *wrk) probe(ctx context.Context, s *server) error {
	deadline := time.Now().Add(20 * time.Second)
	var c net.Conn
	var br *bufio.Reader
	for range 8 {
		if c == nil || w.closes {
			var err error
			if c, err = w.dial(ctx, s.addr); err != nil {
				return err
			}
			defer c.Close()
			if err := c.SetDeadline(deadline); err != nil {
				return err
			}
			br = bufio.NewReader(c)
		}
		if err := w.ask(c, br); err != nil {
			return fmt.Errorf("probe of %s: %w", w.path, err)
		}
	}
	return nil
}

func (w *wrk) dial(ctx context.Context, addr string) (net.Conn, error) {
	var nd net.Dialer
	c, err := nd.DialContext(ctx, "tcp", addr)
	if err != nil || !w.secure {
		return c, err
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil
}

// ask sends a request as wrk would and reads the answer.
func (w *wrk) ask(c net.Conn, br *bufio.Reader) error {
	var req bytes.Buffer
	fmt.Fprintf(&req, "GET %s HTTP/1.1\r\nHost: %s\r\n", w.path, c.RemoteAddr())
	for i := range w.headers {
		name, value := headerLine(i)
		fmt.Fprintf(&req, "%s: %s\r\n", name, value)
	}
	if w.closes {
		req.WriteString("Connection: close\r\n")
	}
	req.WriteString("\r\n")
	if _, err := c.Write(req.Bytes()); err != nil {
		return err
	}
	if err := w.answer(br); err != nil {
		return err
	}
	if !w.closes {
		return nil
	}
	if _, err := br.ReadByte(); err != io.EOF {
		return fmt.Errorf("connection not closed after its request: %v", err)
	}
	return nil
}

func (w *wrk) answer(br *bufio.Reader) error {
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	id, ok := strings.CutPrefix(w.path, "/json/")
	if ok {
		return sameUser(body, id)
	}
	if string(body) != app.PlainText {
		return fmt.Errorf("wrong body %q", body)
	}
	return nil
}

func sameUser(body []byte, id string) error {
	var u app.User
	if err := json.Unmarshal(body, &u); err != nil {
		return err
	}
	if !reflect.DeepEqual(u, app.UserFor(id)) {
		return fmt.Errorf("wrong body %q", body)
	}
	return nil
}
