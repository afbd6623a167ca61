// Package session holds a session with a host: one PowerShell there that runs the executor, and the requests on their way to
// it. A driver brings the process, as three streams; all else is the same over every wire.
//
// What is sent is lines of ASCII, a body is base64 of gzip of JSON. The first line is the executor's text, unless that is
// installed on the host; the second is an Opening. Then come frames:
//
//	req <id> <body>    a Request; an id is used once, and a request that arrives twice runs once
//	can <id>           gives a request up: no call of it that has not begun begins
//	ping <id>
//	bye                takes no more: changes under way are finished, then the process ends; so does the end of the input;
//	                   nothing is answered any more
//
// What comes back stands between whatever else is written there, told apart by the nonce that the opening gave:
//
//	@HV1 <nonce> hello 0 <body>     a Hello
//	@HV1 <nonce> ready 0 <body>     no other process of ours changes anything on the host any more; nothing is sent before
//	@HV1 <nonce> res <id> <body>    an Answer
//	@HV1 <nonce> pong <id> <body>   a Pong
//
// Frames of other kinds are ignored, so that hosts may send more later.
//
// Nothing is ever sent twice. When the answer to a change is lost its outcome is unknown, and who was told so opens another
// session, which begins by waiting for what still runs. A process on which a change may be running is never cut.
package session
