/* A bare echo on epoll: what the kernel alone costs. One thread a core, each
 * with an epoll descriptor and the listener in it. Level-triggered. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 512, BUFFER = 64 * 1024, TABLE = 1 << 16 };

/* What a full socket did not take. A connection with any is not read. */
struct pending {
	char *bytes;
	size_t len, sent;
};

static struct pending waiting[TABLE];
static int listener;

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static void watch(int ep, int op, int fd, unsigned events) {
	struct epoll_event ev = {.events = events, .data.fd = fd};
	if (epoll_ctl(ep, op, fd, &ev) < 0)
		fail("epoll_ctl");
}

static void drop(int fd) {
	free(waiting[fd].bytes);
	memset(&waiting[fd], 0, sizeof waiting[fd]);
	close(fd);
}

static void accept_all(int ep) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= TABLE) {
			close(fd);
			continue;
		}
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

static void flush(int ep, int fd) {
	struct pending *p = &waiting[fd];
	while (p->sent < p->len) {
		ssize_t n = write(fd, p->bytes + p->sent, p->len - p->sent);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			drop(fd);
			return;
		}
		p->sent += (size_t)n;
	}
	free(p->bytes);
	memset(p, 0, sizeof *p);
	watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void hold(int ep, int fd, const char *bytes, size_t len) {
	struct pending *p = &waiting[fd];
	p->bytes = malloc(len);
	if (!p->bytes)
		fail("malloc");
	memcpy(p->bytes, bytes, len);
	p->len = len;
	p->sent = 0;
	watch(ep, EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void echo(int ep, int fd, char *buf) {
	ssize_t n = read(fd, buf, BUFFER);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(fd);
		return;
	}
	ssize_t m = write(fd, buf, (size_t)n);
	if (m < 0 && errno != EAGAIN) {
		drop(fd);
		return;
	}
	if (m < 0)
		m = 0;
	if (m < n)
		hold(ep, fd, buf + m, (size_t)(n - m));
}

static void *run(void *unused) {
	(void)unused;
	char *buf = malloc(BUFFER);
	struct epoll_event ev[BATCH];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || !buf)
		fail("start");
	watch(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLEXCLUSIVE);
	for (;;) {
		int n = epoll_wait(ep, ev, BATCH, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			if (fd == listener)
				accept_all(ep);
			else if (ev[i].events & EPOLLOUT)
				flush(ep, fd);
			else
				echo(ep, fd, buf);
		}
	}
	return NULL;
}

int main(int argc, char **argv) {
	char host[64];
	int port = 0, one = 1;
	if (argc != 3 || sscanf(argv[1], "%63[^:]:%d", host, &port) != 2) {
		fprintf(stderr, "usage: epoll HOST:PORT THREADS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	if (listener < 0 || inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		fail("address");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(listener, 4096) < 0)
		fail("listen");
	for (int i = 1; i < atoi(argv[2]); i++) {
		pthread_t t;
		if (pthread_create(&t, NULL, run, NULL) != 0)
			fail("pthread_create");
	}
	run(NULL);
	return 0;
}
