package conformance

// What the peers are known to do otherwise, with the reason. A case that differs
// and is not listed fails the test, and so does a line that no case needs any more.

// anyPeer is what neither library does.
var anyPeer = []known{
	{`5\.2-not-minimal-(16|64)-\d+|5\.2-not-minimal-(header|continuation)`, "takes a length in more bytes than it needs"},
	{`5\.2-top-bit-.*`, "drops TCP without a Close on a length with its top bit set"},
	{`4\.1-answer-http-1\.0`, "takes a 101 of HTTP/1.0"},
}

// bothServers is what neither server does.
var bothServers = []known{
	{`4\.4-version-\d+`, "answers 400 and not 426, though with Sec-WebSocket-Version"},
	{`4\.2\.1-http-1\.0`, "gorilla answers 101, coder a 426 without Upgrade"},
	{`7692-7\.1-bad-offer-client_(max_window_bits|no_context_takeover).*`, "does not look at the value, nor for repetitions"},
	{`7692-7\.1-bad-offer-server_no_context_takeover__server_no_context_takeover`, "does not look for repetitions"},
	{`7692-7\.1-server-(takeover|reset)-15-.*|7692-7\.2-volume-bits-15-.*|7692-7\.2-foreign-context-server-takeover-15-.*`, "accepts server_max_window_bits=15 without naming it in the answer"},
}

func differing(groups ...[]known) []known {
	var all []known
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

var gorillaAny = []known{
	{`5\.5\.1-reason-bad-.*`, "answers a reason that is not UTF-8 with 1002, not 1007"},
	{`5\.5\.1-one-byte`, "answers a Close of one byte as if it were empty"},
	{`7\.4-code-1014(-reason)?`, "does not know 1014, which IANA registered later"},
	{`10\.4-declared-overflow`, "drops TCP without a Close when the sum of lengths overflows"},
	{`7692-6-rsv1-(continuation|plain-continuation|ping|pong|close)`, "with the extension takes RSV1 on every frame"},
	{`7692-8-(bomb.*|after-good)`, "SetReadLimit counts compressed bytes"},
}

var gorillaServerDiffers = differing(anyPeer[:2], bothServers, gorillaAny, []known{
	{`4\.1-(with-.*|chopped|random|cut-.*|looks-like-http)`, "by its documents refuses clients that send frames before they have the 101"},
	{`4\.2\.1-body-.*`, "drops TCP when anything is buffered behind the request"},
	{`4\.2\.1-key-twice(-different)?`, "looks at the first of two keys"},
	{`4\.2\.1-connection-_Upgrade`, "refuses a list with an empty element"},
	{`7692-7\.1-bad-offer-(unknown.*|mux.*|server_.*)|7692-7\.1-malformed-1`, "accepts any offer of permessage-deflate without looking at its parameters"},
	{`7692-7\.1-rsv1-after-decline`, "accepts any offer of permessage-deflate"},
	{`7692-7\.1-server-(takeover|reset)-(8|9|1\d)-.*|7692-7\.2-volume-bits-(8|9)-.*|7692-7\.2-foreign-context-server-takeover-(9|12)-.*|7692-7\.1-quoted|7692-7\.1\.2-beyond-window`, "accepts server_max_window_bits without naming or keeping it"},
})

var gorillaClientDiffers = differing(anyPeer, gorillaAny, []known{
	{`4\.1-answer-(extension|protocol)`, "takes what it did not offer"},
	{`4\.1-answer-after-.*`, "takes an interim response for the answer"},
	{`4\.1-answer-endless`, "has no limit on the answer's fields"},
	{`7692-7\.1-bad-response-permessage-bzip2`, "takes an extension it did not offer"},
	{`7692-7\.1-server-reset-.*-client-takeover-.*`, "insists on client_no_context_takeover in the answer"},
})

var coderAny = []known{
	{`8\.1-(invalid|early|position|far|split-bad|second-message|cut-at|state-ends)-?.*|7692-8\.1-(invalid-.*|far)`, "leaves UTF-8 to the application, and this echo has no opinion"},
	{`5\.5\.1-reason-bad-.*`, "echoes a reason that is not UTF-8"},
	{`5\.2-not-minimal-ping`, "takes a length in more bytes than it needs"},
	{`5\.5-long-(ping|pong|close)-header`, "waits for the masking key or the length before it looks at the first two bytes"},
	{`10\.4-declared-.*`, "counts bytes as they are read, not as they are announced"},
	{`5\.4-fin-inside|7\.1\.5-end-after-header`, "its Reader says io.EOF at the end of the stream as at the end of a message"},
	{`7692-7\.2\.3-final-then-more`, "loses the context after a block with BFINAL"},
	{`7692-7\.2\.2-bad-(stored|fixed)-short`, "takes a truncated DEFLATE stream for a whole one"},
}

var coderServerDiffers = differing(anyPeer[:2], bothServers, coderAny, []known{
	{`5\.1-unmasked-.*`, "drops TCP without a Close on a frame without a mask"},
	{`5\.4-orphan-header`, "waits for the masking key before it looks at the first two bytes"},
})

var coderClientDiffers = differing(anyPeer, coderAny, []known{
	{`5\.1-masked-.*`, "takes masked frames from a server"},
	{`7692-7\.1-bad-response-permessage-deflate__(client|server)_.*`, "does not look at the values, nor for repetitions"},
})
