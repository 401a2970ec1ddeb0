#!/usr/bin/env bash
# The HTTP tests once more with TLS between them and the server. What is left out is about TCP itself: addresses, the
# listener, sendfile, memory with the tests' own proxy in it, and what a client acknowledges, which is then the proxy.
source "$(dirname "$0")/../lib.sh"

about_tcp='^(TestMaxConns|TestHeapPerByte|TestStdSendfile|TestStdRemoteAddr|TestStdBaseAndConnContext|TestStdContextKeys|TestLingerAndAReaderWhoSends|TestLingerWithAQueue|TestWriteProgressOfASteadyReader)$'

section "HTTP tests over TLS" go test -count=1 -timeout 8m -skip "$about_tcp" ./http1 -args -overtls
section "HTTP tests over TLS, portable transport" go test -count=1 -timeout 8m -tags "$PORTABLE_TAG" -skip "$about_tcp" ./http1 -args -overtls
