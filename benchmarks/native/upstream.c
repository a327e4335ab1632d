/* An upstream far faster than any gateway: one thread, epoll, answers from memory.
 *
 *     upstream PORT
 *
 * Every POST is answered with a small chat completion or, when the body asks for a stream, with 50 chunks, each a write
 * of its own, and with usage when that is asked for; at once, or N milliseconds later when the body holds #d<N>#.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, BUFFER_BYTES = 1 << 18, N_EVENTS = 50 };

struct connection {
  int fd;
  size_t n_read;
  int stream, with_usage;
  int64_t due_us; /* 0: nothing is owed */
  char *buffer;
};

static struct connection connections[MAX_CONNECTIONS];
static char small_answer[2048], stream_head[256], event[512], last_events[1024], usage_events[1536];
static size_t small_bytes, head_bytes, event_bytes, last_bytes, usage_bytes;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t chunk(char *to, const char *data) { return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(data), data); }

static void prepare(void) {
  const char *frame = "\"id\":\"chatcmpl-1\",\"created\":1767225600,\"model\":\"bench\"";
  const char *usage = "\"usage\":{\"prompt_tokens\":350,\"completion_tokens\":50,\"total_tokens\":400}";
  char data[1024];
  snprintf(data, sizeof data,
           "{%s,\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
           "\"content\":\"A short answer of some twenty words, as a small model gives it to a question that was not "
           "hard to answer at all, and then it stops.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
           "%s}", frame, usage);
  small_bytes = (size_t)sprintf(small_answer,
                                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                strlen(data), data);
  head_bytes = (size_t)sprintf(stream_head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                            "Transfer-Encoding: chunked\r\n\r\n");
  snprintf(data, sizeof data,
           "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},"
           "\"logprobs\":null,\"finish_reason\":null}]}\n\n", frame);
  event_bytes = chunk(event, data);
  snprintf(data, sizeof data,
           "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},"
           "\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n", frame);
  last_bytes = chunk(last_events, data);
  memcpy(usage_events, last_events, last_bytes);
  usage_bytes = last_bytes;
  snprintf(data, sizeof data, "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[],%s}\n\n", frame, usage);
  usage_bytes += chunk(usage_events + usage_bytes, data);
  last_bytes += chunk(last_events + last_bytes, "data: [DONE]\n\n");
  usage_bytes += chunk(usage_events + usage_bytes, "data: [DONE]\n\n");
  last_bytes += (size_t)sprintf(last_events + last_bytes, "0\r\n\r\n");
  usage_bytes += (size_t)sprintf(usage_events + usage_bytes, "0\r\n\r\n");
}

static void put(int fd, const char *data, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return;
    }
    data += sent;
    n -= (size_t)sent;
  }
}

static void answer(struct connection *c) {
  c->due_us = 0;
  if (!c->stream) {
    put(c->fd, small_answer, small_bytes);
    return;
  }
  put(c->fd, stream_head, head_bytes);
  for (int n = 0; n < N_EVENTS; n++) put(c->fd, event, event_bytes);
  if (c->with_usage) put(c->fd, usage_events, usage_bytes);
  else put(c->fd, last_events, last_bytes);
}

static int asks(const char *body, size_t n, const char *compact, const char *spaced) {
  return memmem(body, n, compact, strlen(compact)) != NULL || memmem(body, n, spaced, strlen(spaced)) != NULL;
}

/* Answers, now or later, once a whole request is there. */
static void look(struct connection *c) {
  char *end = memmem(c->buffer, c->n_read, "\r\n\r\n", 4);
  if (end == NULL) return;
  *end = 0;
  char *length = strcasestr(c->buffer, "\ncontent-length:");
  char *chunked = strcasestr(c->buffer, "\ntransfer-encoding:");
  *end = '\r';
  size_t head = (size_t)(end + 4 - c->buffer);
  if (chunked != NULL) {
    if (c->n_read < head + 5 || memcmp(c->buffer + c->n_read - 5, "0\r\n\r\n", 5) != 0) return;
  } else if (length != NULL && c->n_read < head + (size_t)atol(length + 16)) {
    return;
  }
  const char *body = c->buffer + head;
  size_t n = c->n_read - head;
  const char *wait = memmem(body, n, "#d", 2);
  int64_t delay_ms = wait == NULL ? 0 : atol(wait + 2);
  c->stream = asks(body, n, "\"stream\":true", "\"stream\": true");
  c->with_usage = asks(body, n, "\"include_usage\":true", "\"include_usage\": true");
  c->n_read = 0;
  if (delay_ms == 0) answer(c);
  else c->due_us = now_us() + delay_ms * 1000;
}

static void leave(struct connection *c) {
  close(c->fd);
  c->fd = 0;
  c->n_read = 0;
  c->due_us = 0;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  prepare();
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) return 1;
  struct epoll_event want = {.events = EPOLLIN, .data.fd = listener}, seen[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &want);
  int n_waiting = 0;
  for (;;) {
    int n_seen = epoll_wait(poll, seen, 256, n_waiting > 0 ? 1 : -1);
    for (int i = 0; i < n_seen; i++) {
      int fd = seen[i].data.fd;
      if (fd == listener) {
        int taken;
        while ((taken = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          if (taken >= MAX_CONNECTIONS) {
            close(taken);
            continue;
          }
          struct connection *c = &connections[taken];
          if (c->buffer == NULL) c->buffer = malloc(BUFFER_BYTES + 1);
          c->fd = taken;
          c->n_read = 0;
          c->due_us = 0;
          setsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          struct epoll_event reads = {.events = EPOLLIN, .data.fd = taken};
          epoll_ctl(poll, EPOLL_CTL_ADD, taken, &reads);
        }
        continue;
      }
      struct connection *c = &connections[fd];
      ssize_t n = recv(fd, c->buffer + c->n_read, BUFFER_BYTES - c->n_read, 0);
      if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        leave(c);
        continue;
      }
      c->n_read += (size_t)n;
      look(c);
    }
    int64_t at_us = now_us();
    n_waiting = 0;
    for (int fd = 0; fd < MAX_CONNECTIONS; fd++) {
      struct connection *c = &connections[fd];
      if (c->due_us == 0) continue;
      if (c->due_us <= at_us) answer(c);
      else n_waiting++;
    }
  }
}
