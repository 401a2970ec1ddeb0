package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// number reads a tile as the page shows it; 1.2 k and 3.4 MB are numbers too.
const number = `(key => { const s = document.querySelector('[data-key=' + key + '] b').textContent.replaceAll(",", "");
	const unit = {k: 1e3, M: 1e6, G: 1e9}[(s.match(/[kMG]/) || [""])[0]] || 1; return parseFloat(s) * unit; })`

func TestPageInChromium(t *testing.T) {
	url := startServe(t)
	b := startBrowser(t)
	p := b.open(url, 1280, 900, "light")
	step := func(name string, f func(t *testing.T)) {
		t.Run(name, func(inner *testing.T) {
			b.t = inner
			defer func() { b.t = t }()
			f(inner)
		})
	}
	step("live figures move", func(t *testing.T) { liveFigures(t, p) })
	step("each tile has its plot", func(*testing.T) { tiles(p) })
	step("echo through the page", func(t *testing.T) { echo(t, p) })
	step("two browsers chat", func(t *testing.T) { chat(t, p, b.open(url, 390, 844, "dark")) })
	step("WebSocket from the page", func(t *testing.T) { socket(t, p) })
	step("compressed WebSockets", func(t *testing.T) { compressed(t, p) })
	step("nothing from elsewhere", func(t *testing.T) { ownAssets(t, p, url) })
	step("table of connections", func(t *testing.T) { table(t, b.open(url+"/debug/strand", 1024, 768, "light")) })
	step("no sideways scrolling", func(t *testing.T) { fits(t, p) })
	pictures(p, b, url)
	p.clean()
}

func liveFigures(t *testing.T, p *page) {
	p.until("the state to be live", `document.querySelector("#state").dataset.state === "live"`)
	p.until("a connection to be counted", number+`("connections") >= 1`)
	p.click("#stir")
	p.until("requests a second to rise", number+`("requests") >= 20`)
	p.until("bytes a second to rise", number+`("bytes") >= 1000`)
	p.until("the headline to say the same", `document.querySelector("#now").textContent === document.querySelector("[data-key=requests] b").textContent`)
	// The plot shows a figure one period after it was seen.
	p.until("the plot to be drawn", `(() => { const c = document.querySelector("#plot"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		const seen = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i+3]) seen.add(d[i] + "," + d[i+1] + "," + d[i+2]); return seen.size > 20; })()`)
	p.until("the requests to calm down", number+`("requests") < 20`)
	var broken bool
	p.eval(`document.querySelector(".promise").hasAttribute("data-broken") || `+number+`("violations") !== 0`, &broken)
	if broken {
		t.Error("the page shows isolation violations")
	}
}

func tiles(p *page) {
	for _, key := range []string{"connections", "messages", "bytes", "blocks", "handoffs", "violations", "requests"} {
		p.click(`[data-key=` + key + `]`)
		p.until("the tile to be chosen", `document.querySelector("[data-key=`+key+`]").getAttribute("aria-pressed") === "true" &&
			document.querySelectorAll("#tiles [aria-pressed=true]").length === 1`)
	}
}

func echo(t *testing.T, p *page) {
	const words = "naïve café, 絆, 🧵, <b>not bold</b>"
	p.typeIn("#echo-text", words)
	for i, way := range []string{"post", "ws", "big"} {
		p.click(`#echo [value=` + way + `]`)
		p.until("the answer by "+way, `document.querySelectorAll("#echo-log li").length === `+string(rune('1'+i)))
		var got struct {
			Bad        bool
			Text, Back string
		}
		p.eval(`(() => { const li = document.querySelector("#echo-log li");
			return {bad: li.hasAttribute("data-bad"), text: li.textContent, back: li.dataset.back}; })()`, &got)
		if got.Bad || !strings.Contains(got.Text, "came back the same") {
			t.Errorf("%s: the page says %q", way, got.Text)
		}
		if way != "big" && got.Back != words {
			t.Errorf("%s: sent %q, came back %q", way, words, got.Back)
		}
	}
}

func chat(t *testing.T, p, q *page) {
	for _, x := range []*page{p, q} {
		x.until("the chat to be joined", `!document.querySelector("#chat-send").disabled`)
	}
	p.typeIn("#chat-name", "Ada")
	q.typeIn("#chat-name", "Grace")
	say := []struct {
		from  *page
		name  string
		words string
	}{{p, "Ada", "hello from a laptop"}, {q, "Grace", "and from a phone: <i>hi</i>"}, {p, "Ada", "well met"}}
	for i, m := range say {
		m.from.typeIn("#chat-text", m.words)
		m.from.click("#chat-send")
		for _, x := range []*page{p, q} {
			x.until("everyone to hear it", `document.querySelectorAll("#talk li").length === `+string(rune('1'+i)))
			var got struct {
				Who, Words string
				Mine       bool
			}
			x.eval(`(() => { const li = document.querySelector("#talk li:last-child");
				return {who: li.children[0].textContent, words: li.children[1].textContent, mine: li.classList.contains("mine")}; })()`, &got)
			if got.Who != m.name || got.Words != m.words || got.Mine != (x == m.from) {
				t.Errorf("%s said %q; a page shows %+v", m.name, m.words, got)
			}
		}
	}
	p.until("the page to count two in the chat", `document.querySelector("#chat-count").textContent === "2 here"`)
	q.until("the phone to be live", `document.querySelector("#state").dataset.state === "live"`)
	q.shoot("phone-dark")
	fits(t, q)
	q.clean()
}

// socket sends text and binary messages of many sizes on /ws and wants each back as it was.
func socket(t *testing.T, p *page) {
	var wrong string
	p.eval(`new Promise((done) => {
		const ws = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
		ws.binaryType = "arraybuffer";
		const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20], sent = [];
		for (const n of sizes) sent.push("é".repeat(n >> 1), Uint8Array.from({length: n}, (_, i) => i * 7 + n));
		let i = 0;
		ws.onopen = () => sent.forEach((m) => ws.send(m));
		ws.onerror = () => done("error");
		ws.onclose = (e) => done(i === sent.length && e.code === 1000 && e.wasClean ? "" : "closed with " + e.code + " after " + i);
		ws.onmessage = (e) => {
			const m = sent[i++], got = typeof m === "string" ? e.data : new Uint8Array(e.data);
			if (got.length !== m.length || (typeof m === "string" ? got !== m : !got.every((x, k) => x === m[k]))) return done("message " + i + " came back changed");
			if (i === sent.length) ws.close(1000, "enough");
		};
		setTimeout(() => done("no end after " + i + " messages"), 15000);
	})`, &wrong)
	if wrong != "" {
		t.Error(wrong)
	}
}

// compressed has several WebSockets, for which the browser negotiates compression, send texts that share words. Each
// is a conversation of its own: what one has said is no part of another's dictionary.
func compressed(t *testing.T, p *page) {
	var wrong string
	p.eval(`Promise.all(Array.from({length: 12}, (_, who) => new Promise((done) => {
		const words = ["yew ", "oak ", "fir ", "elm → ", "forêt ", "€ ", "strand "], sent = [];
		let x = who * 7919 + 1, i = 0;
		const text = (n) => { let s = ""; while (s.length < n) { x = (x * 48271) % 2147483647; s += words[x % words.length]; } return s; };
		for (const n of [400, 3000, 20, 9000, 1000]) sent.push(text(n));
		const ws = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
		ws.onopen = () => ws.extensions.includes("permessage-deflate") ? ws.send(sent[0]) : done("not compressed");
		ws.onerror = () => done("error after " + i + " messages");
		ws.onclose = (e) => done(i === sent.length ? "" : "closed with " + e.code + " after " + i + " messages");
		ws.onmessage = (e) => {
			if (e.data !== sent[i++]) return done("message " + i + " came back changed");
			if (i === sent.length) ws.close(1000); else ws.send(sent[i]);
		};
		setTimeout(() => done("no end after " + i + " messages"), 15000);
	}))).then((all) => all.filter((x) => x).join("; "))`, &wrong)
	if wrong != "" {
		t.Error(wrong)
	}
}

// ownAssets holds the page to working offline: whatever it loaded came from its own server.
func ownAssets(t *testing.T, p *page, url string) {
	var names []string
	p.eval(`performance.getEntriesByType("resource").map((e) => e.name)`, &names)
	if len(names) == 0 {
		t.Error("the page loaded nothing")
	}
	for _, name := range names {
		if !strings.HasPrefix(name, url+"/") {
			t.Errorf("the page loaded %s", name)
		}
	}
}

// table wants the connections of the pages that are open in the table of /debug/strand.
func table(t *testing.T, p *page) {
	var got struct {
		Title string
		Rows  int
	}
	p.eval(`({title: document.querySelector("h1").textContent, rows: document.querySelectorAll("tbody tr").length})`, &got)
	if got.Rows < 3 || got.Title != strconv.Itoa(got.Rows)+" connections" {
		t.Errorf("%d rows under %q", got.Rows, got.Title)
	}
	p.shoot("table")
	p.clean()
	p.do("Page.navigate", map[string]any{"url": "about:blank"}) // or it asks again every 2 s
}

// fits holds the page to every width from a small phone up.
func fits(t *testing.T, p *page) {
	for _, width := range []int{320, 360, 390, 600, 768, 941, 1024, 1280} {
		p.size(width, 844)
		var over int
		p.eval(`document.documentElement.scrollWidth - innerWidth`, &over)
		if over > 0 {
			t.Errorf("at %d px the page is %d px too wide", width, over)
		}
	}
}

// pictures are taken only when SHOTS asks for them.
func pictures(p *page, b *browser, url string) {
	if os.Getenv("SHOTS") == "" {
		return
	}
	p.size(1280, 900)
	p.click("#stir")
	time.Sleep(2500 * time.Millisecond) // the plot shows a figure one period after it was seen
	p.eval(`scrollTo(0, 0)`, nil)
	p.shoot("desktop-light")
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}})
	time.Sleep(300 * time.Millisecond)
	p.shoot("desktop-dark")
	q := b.open(url, 390, 844, "light")
	q.until("the phone to be live", `document.querySelector("#state").dataset.state === "live"`)
	time.Sleep(2500 * time.Millisecond)
	q.shoot("phone-light")
	q.clean()
}
