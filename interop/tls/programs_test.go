package tls

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPrograms(t *testing.T) {
	addr := startServe(t)
	t.Run("openssl s_client", func(t *testing.T) { sClient(t, addr) })
	t.Run("openssl renegotiates", func(t *testing.T) { renegotiate(t, addr) })
	t.Run("openssl updates keys", func(t *testing.T) { updateKeys(t, addr) })
	t.Run("openssl resumes", func(t *testing.T) { resume(t, addr) })
	t.Run("openssl s_time", func(t *testing.T) { sTime(t, addr) })
	t.Run("curl", func(t *testing.T) { curl(t, addr) })
	t.Run("plain HTTP", func(t *testing.T) { plainHTTP(t, addr) })
	t.Run("nginx in front", func(t *testing.T) { nginx(t, addr) })
	t.Run("Go", func(t *testing.T) { goClient(t, addr) })
}

const request = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n"
const lastRequest = "GET /plaintext HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

// sClient asks twice on one connection, with each version.
func sClient(t *testing.T, addr string) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		out, err := run(t, request+lastRequest, "openssl", "s_client", "-connect", addr, version, "-ign_eof", "-quiet")
		if n := strings.Count(out, "Hello, World!"); err != nil || n != 2 {
			t.Errorf("%s: %d answers, %v\n%s", version, n, err, out)
		}
	}
}

// interactive runs s_client, which takes commands from its input: one line after the other, each when the one before
// has had time to be a record of its own.
func interactive(t *testing.T, addr string, version string, lines ...string) string {
	t.Helper()
	cmd := exec.Command("openssl", "s_client", "-connect", addr, version, "-crlf", "-ign_eof")
	// Without -ign_eof commands are heard; with it they are not.
	cmd.Args = cmd.Args[:len(cmd.Args)-1]
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(in, line+"\n") // an error shows in what it says
	}
	late := time.AfterFunc(time.Second, func() { _ = in.Close() })
	defer late.Stop()
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // says 1 when the other side closed first
	return out.String()
}

// renegotiate has a client ask for renegotiation, which ends its connection (hazard 119) and nobody else's.
func renegotiate(t *testing.T, addr string) {
	out := interactive(t, addr, "-tls1_2", "R", "GET /plaintext HTTP/1.1", "Host: h", "Connection: close", "")
	if !strings.Contains(out, "RENEGOTIATING") || strings.Contains(out, "Hello, World!") {
		t.Errorf("renegotiation was not refused:\n%s", out)
	}
	sClient(t, addr)
}

// updateKeys has a client change its keys, and ours, between two requests.
func updateKeys(t *testing.T, addr string) {
	out := interactive(t, addr, "-tls1_3", "GET /plaintext HTTP/1.1", "Host: h", "", "k", "K",
		"GET /plaintext HTTP/1.1", "Host: h", "", "K", "GET /plaintext HTTP/1.1", "Host: h", "Connection: close", "")
	if n := strings.Count(out, "Hello, World!"); n != 3 || strings.Count(out, "KEYUPDATE") != 3 {
		t.Errorf("%d answers:\n%s", n, out)
	}
}

// resume makes a connection with the session of the one before.
func resume(t *testing.T, addr string) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(t.TempDir(), "session")
		first, err := run(t, lastRequest, "openssl", "s_client", "-connect", addr, version, "-ign_eof", "-sess_out", session)
		if err != nil || !strings.Contains(first, "\nNew, TLSv1") {
			t.Errorf("%s: %v\n%s", version, err, first)
			continue
		}
		second, err := run(t, lastRequest, "openssl", "s_client", "-connect", addr, version, "-ign_eof", "-sess_in", session)
		if err != nil || !strings.Contains(second, "\nReused, TLSv1") || !strings.Contains(second, "Hello, World!") {
			t.Errorf("%s: not resumed: %v\n%s", version, err, second)
		}
	}
}

var sTimeDone = regexp.MustCompile(`(\d+) connections in \d+ real seconds, (\d+) bytes read`)

// sTime makes as many connections with a request each as it can.
func sTime(t *testing.T, addr string) {
	for _, how := range []string{"-new", "-reuse"} {
		out, err := run(t, "", "openssl", "s_time", "-connect", addr, "-www", "/plaintext", how, "-time", "2")
		m := sTimeDone.FindStringSubmatch(out)
		if err != nil || m == nil || m[1] == "0" || m[2] == "0" {
			t.Errorf("%s: %v\n%s", how, err, out)
			continue
		}
		t.Logf("%s: %s", how, m[0])
	}
}

func curl(t *testing.T, addr string) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("0123456789abcdef", 200000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"1.2":     {[]string{"--tls-max", "1.2", "--http1.1"}, "1.1"},
		"1.3":     {[]string{"--tlsv1.3", "--http1.1"}, "1.1"},
		"h2":      {[]string{"--http2"}, "2"},
		"h2 1.2":  {[]string{"--http2", "--tls-max", "1.2"}, "2"},
		"default": {nil, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			base := append([]string{"-sS", "--insecure", "--fail"}, tt.flags...) // the certificate was made at start
			url := "https://" + addr
			out, err := run(t, "", "curl", append(base, "-w", " %{http_version}", url+"/plaintext")...)
			if err != nil || out != "Hello, World! "+tt.want {
				t.Errorf("%q, %v", out, err)
			}
			back := filepath.Join(t.TempDir(), "back")
			out, err = run(t, "", "curl", append(base, "--data-binary", "@"+big, "-o", back, url+"/echo")...)
			if err != nil {
				t.Fatalf("echo: %s, %v", out, err)
			}
			if out, err := run(t, "", "cmp", big, back); err != nil {
				t.Errorf("echo: %s", out)
			}
		})
	}
}

// plainHTTP is told what it did (hazard 128).
func plainHTTP(t *testing.T, addr string) {
	out, _ := run(t, "", "curl", "-sS", "-w", " %{http_code}", "http://"+addr+"/plaintext")
	if !strings.Contains(out, "HTTP request to an HTTPS server") || !strings.HasSuffix(out, " 400") {
		t.Errorf("%q", out)
	}
}

const nginxConf = `
daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log error;
events { worker_connections 200; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	client_max_body_size 10m; client_body_buffer_size 1m;
	upstream strand { server %[2]s; keepalive 8; }
	server {
		listen %[3]s;
		location / {
			proxy_pass https://strand; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_ssl_session_reuse on;
		}
	}
}
`

// nginx is a TLS client that keeps connections and resumes sessions, for 20 clients of its own.
func nginx(t *testing.T, addr string) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatalf("%v: this test puts nginx in front; apt-get install nginx", err)
	}
	dir, front := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, addr, front), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-p", dir, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", front); err == nil {
			_ = c.Close()
			break
		} else if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx does not listen: %v\n%s", err, log)
		}
	}
	hammer(t, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}, Timeout: 30 * time.Second}, "http://"+front)
	if log, err := os.ReadFile(filepath.Join(dir, "error.log")); err != nil || len(log) > 0 {
		t.Errorf("nginx says: %s, %v", log, err)
	}
}

// hammer has 20 clients ask and post, each bytes of its own.
func hammer(t *testing.T, client *http.Client, url string) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				want := strings.Repeat(fmt.Sprintf("%d %d,", i, j), 1+j*500)
				resp, err := client.Post(url+"/echo", "text/plain", strings.NewReader(want))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(got) != want {
					t.Errorf("client %d: %s, %d bytes of %d, %v", i, resp.Status, len(got), len(want), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func goClient(t *testing.T, addr string) {
	for _, h2 := range []bool{false, true} {
		tr := &http.Transport{ForceAttemptHTTP2: h2, MaxIdleConnsPerHost: 20,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}}
		hammer(t, &http.Client{Transport: tr, Timeout: 30 * time.Second}, "https://"+addr)
		tr.CloseIdleConnections()
	}
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, lastRequest)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v, not close_notify", n, err)
	}
}
