//go:build linux && !strand_std

package strand

import (
	"net"
	"testing"

	"github.com/d74363f0/strand/internal/sock"
)

// TestPeerWithZone: the zone of a link-local peer is not lost for want of room.
func TestPeerWithZone(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(e.shards[0], nil)
	peer := sock.Addr{IP: [16]byte{0: 0xfe, 1: 0x80, 15: 1}, Port: 80, Kind: sock.IPv6}
	if c.setPeer(peer); c.rare.Load() != nil || c.peer.addr() != peer {
		t.Errorf("a peer without a zone has a rare part, or became %v", c.peer.addr())
	}
	peer.Zone = uint32(lo.Index)
	c.setPeer(peer)
	if got, want := c.RemoteAddr().String(), "[fe80::1%"+lo.Name+"]:80"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
