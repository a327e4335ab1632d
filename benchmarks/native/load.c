/* A load generator far faster than any gateway: one thread, epoll, every request with a text of its own.
 *
 *     load PORT PATH MODEL N_CONNECTIONS SECONDS BODY_BYTES STREAM WAIT_MS SEED SENTENCES [HEADER…]
 *
 * SENTENCES is a file of JSON-escaped sentences, one a line; the user's message is made of random ones. STREAM is 0 or
 * 1; WAIT_MS is what the upstream is told to wait. Prints one line of JSON: requests answered with status 200 and a whole body, others, seconds, and percentiles of
 * the time to the first byte and to the last, in microseconds.
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

enum { MAX_TIMES = 1 << 21, MAX_SENTENCES = 4096, ANSWER_BYTES = 1 << 17, OUT_BYTES = 1 << 18 };

struct connection {
  int fd;
  size_t n_read, n_out, n_sent;
  int64_t begun_us, first_us;
  char *in, *out;
};

static char *sentences[MAX_SENTENCES];
static int n_sentences;
static uint64_t state;
static uint32_t *first_times, *last_times;
static size_t n_done, n_failed, n_shown;
static const char *path, *model;
static char headers[2048];
static size_t body_bytes;
static int stream, wait_ms;
static struct sockaddr_in address;
static int poll_fd;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t random_number(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void write_request(struct connection *c) {
  static char body[OUT_BYTES];
  size_t n = (size_t)sprintf(body, "{\"model\":\"%s\",%s\"messages\":[{\"role\":\"user\",\"content\":\"", model,
                             stream ? "\"stream\":true," : "");
  n += (size_t)sprintf(body + n, "%016llx ", (unsigned long long)random_number());
  if (wait_ms > 0) n += (size_t)sprintf(body + n, "#d%d# ", wait_ms);
  while (n < body_bytes) {
    const char *sentence = sentences[random_number() % (uint64_t)n_sentences];
    size_t length = strlen(sentence);
    if (n + length + 8 > body_bytes && n + 64 > body_bytes) break;
    if (n + length + 8 > OUT_BYTES) break;
    memcpy(body + n, sentence, length);
    n += length;
    body[n++] = ' ';
    if (n + 4 >= body_bytes) break;
  }
  n += (size_t)sprintf(body + n, "\"}]}");
  c->n_out = (size_t)sprintf(c->out, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                                     "Content-Length: %zu\r\n%s\r\n", path, n, headers);
  memcpy(c->out + c->n_out, body, n);
  c->n_out += n;
  c->n_sent = 0;
  c->n_read = 0;
  c->first_us = 0;
  c->begun_us = now_us();
}

static void push(struct connection *c) {
  while (c->n_sent < c->n_out) {
    ssize_t sent = send(c->fd, c->out + c->n_sent, c->n_out - c->n_sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      break;
    }
    c->n_sent += (size_t)sent;
  }
  struct epoll_event want = {.events = EPOLLIN | (c->n_sent < c->n_out ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &want);
}

static void begin(struct connection *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("connect");
    exit(1);
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &want);
}

/* 1: the answer is whole. 0: more must come. */
static int whole(struct connection *c) {
  char *end = memmem(c->in, c->n_read, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  *end = 0;
  char *length = strcasestr(c->in, "\ncontent-length:");
  *end = '\r';
  size_t head = (size_t)(end + 4 - c->in);
  if (length != NULL && length < end) return c->n_read >= head + (size_t)atol(length + 16);
  return c->n_read >= head + 5 && memcmp(c->in + c->n_read - 5, "0\r\n\r\n", 5) == 0;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t at(uint32_t *times, double share) {
  return n_done == 0 ? 0 : times[(size_t)(share * (double)(n_done - 1))];
}

int main(int argc, char **argv) {
  if (argc < 11) return 2;
  path = argv[2];
  model = argv[3];
  int n_connections = atoi(argv[4]);
  double seconds = atof(argv[5]);
  body_bytes = (size_t)atol(argv[6]);
  stream = atoi(argv[7]);
  wait_ms = atoi(argv[8]);
  state = strtoull(argv[9], NULL, 10) * 2654435761u + 88172645463325252ull;
  for (int n = 11; n < argc; n++) {
    strcat(headers, argv[n]);
    strcat(headers, "\r\n");
  }
  FILE *file = fopen(argv[10], "r");
  char line[8192];
  while (file != NULL && n_sentences < MAX_SENTENCES && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    sentences[n_sentences++] = strdup(line);
  }
  if (n_sentences == 0 || body_bytes + 16384 > OUT_BYTES) return 2;
  first_times = malloc(MAX_TIMES * sizeof *first_times);
  last_times = malloc(MAX_TIMES * sizeof *last_times);
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  poll_fd = epoll_create1(0);
  struct connection *all = calloc((size_t)n_connections, sizeof *all);
  int64_t started_us = now_us(), until_us = started_us + (int64_t)(seconds * 1e6);
  for (int n = 0; n < n_connections; n++) {
    all[n].in = malloc(ANSWER_BYTES + 1);
    all[n].out = malloc(OUT_BYTES);
    begin(&all[n]);
    write_request(&all[n]);
    push(&all[n]);
  }
  struct epoll_event seen[256];
  int64_t at_us = started_us;
  while (at_us < until_us) {
    int n_seen = epoll_wait(poll_fd, seen, 256, 100);
    at_us = now_us();
    for (int i = 0; i < n_seen; i++) {
      struct connection *c = seen[i].data.ptr;
      if (seen[i].events & EPOLLOUT) push(c);
      if (!(seen[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
      ssize_t n = recv(c->fd, c->in + c->n_read, ANSWER_BYTES - c->n_read, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0) {
        n_failed++;
        close(c->fd);
        begin(c);
        write_request(c);
        push(c);
        continue;
      }
      if (c->first_us == 0) c->first_us = now_us();
      c->n_read += (size_t)n;
      if (!whole(c)) continue;
      int64_t ended_us = now_us();
      if (strncmp(c->in, "HTTP/1.1 200", 12) == 0 && n_done < MAX_TIMES) {
        first_times[n_done] = (uint32_t)(c->first_us - c->begun_us);
        last_times[n_done++] = (uint32_t)(ended_us - c->begun_us);
      } else {
        n_failed++;
        if (n_shown++ < 2) fprintf(stderr, "%.*s\n", (int)(c->n_read < 600 ? c->n_read : 600), c->in);
      }
      write_request(c);
      push(c);
    }
  }
  double took_s = (double)(now_us() - started_us) / 1e6;
  qsort(first_times, n_done, sizeof *first_times, by_size);
  qsort(last_times, n_done, sizeof *last_times, by_size);
  printf("{\"done\":%zu,\"failed\":%zu,\"seconds\":%.4f,\"first_us\":{\"p50\":%u,\"p99\":%u},"
         "\"last_us\":{\"p50\":%u,\"p99\":%u}}\n", n_done, n_failed, took_s, at(first_times, 0.5),
         at(first_times, 0.99), at(last_times, 0.5), at(last_times, 0.99));
  return 0;
}
