package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/d74363f0/strand/bench/peer"
)

// build makes the servers of the peers. Each is a program of its own with no other
// library in it, as its users would have it: what a process holds besides, a
// collector looks through in each cycle, and a server whose handlers allocate would pay for its
// neighbours.
func (d *driver) build(peers []*peer.Peer) error {
	root, err := output("", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/d74363f0/strand/bench")
	if err != nil {
		return fmt.Errorf("the source of the servers (run this inside the repository): %w", err)
	}
	args := []string{"build", "-o", d.dir + string(filepath.Separator)}
	for _, p := range peers {
		if path := "./servers/" + p.Server; !slices.Contains(args, path) {
			args = append(args, path)
		}
	}
	if _, err := output(root, "go", args...); err != nil {
		return err
	}
	_, err = output(root, "gcc", "-O2", "-Wall", "-pthread", "-o", filepath.Join(d.dir, "epoll"), "servers/c/epoll/epoll.c")
	return err
}

// output runs a command in dir and returns what it prints, without the end of the line.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, bytes.TrimSpace(errs.Bytes()))
	}
	return string(bytes.TrimSpace(out.Bytes())), nil
}

// version returns the version of the module that is built into the peer's server.
func (d *driver) version(p *peer.Peer) string {
	info, err := buildinfo.ReadFile(filepath.Join(d.dir, p.Server))
	if err != nil {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path != p.Module {
			continue
		}
		if m.Replace != nil || m.Version == "" || m.Version == "(devel)" {
			return "this tree"
		}
		return m.Version
	}
	return info.GoVersion
}
