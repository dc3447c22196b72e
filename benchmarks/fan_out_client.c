/* The load client of benchmarks/fan_out.py: thousands of readers of the market socket on loopback, in one thread.
 *
 * fan_out_client PORT SOCKETS STALLING LIMIT_S TOKENS_FILE
 *
 * Socket i subscribes to the trades of line i (modulo the lines) of the file. It says READY when each has its snapshot,
 * then takes orders, one a line: `begin` forgets what was counted; `stall` stops reading the first STALLING sockets for
 * good; `end SEQ` ends the window, waits a while for those that have not reached that seq, and answers with one JSON
 * object. It leaves with the end of its input, and after LIMIT_S seconds in any case.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 18,
    HANDSHAKES_AT_ONCE = 128,
    EVENTS = 512,
    LATENCIES_MS = 120000, /* the last bucket holds all that took longer */
    SETTLE_MS = 10000,
    ADDRESS_LENGTH = 64,
    STALLING_BUFFER_BYTES = 4096,
};

struct reader {
    int fd;
    bool upgraded, greeted, stalled, closed;
    long seq;
    const char *token;
    char *rest; /* the beginning of a frame that has not arrived whole */
    size_t rest_length;
};

static struct {
    long frames, window_frames, trades, lost, least_bytes;
    double bytes, began_s, window_s;
    uint32_t latencies[LATENCIES_MS];
} counted;

static struct reader *readers;
static int reader_count, stalling, greeted_count, pending, epoll_fd, port;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static void forget_counts(void)
{
    memset(&counted, 0, sizeof counted);
    counted.least_bytes = -1;
    counted.began_s = now_s(CLOCK_MONOTONIC);
}

/* A client's frames are masked; with a key of zeros the payload stays as it is. */
static void send_frame(struct reader *reader, int opcode, const char *payload, size_t length)
{
    unsigned char frame[4096] = {0x80 | opcode};
    size_t head = 2;
    if (length < 126) {
        frame[1] = 0x80 | length;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = length >> 8;
        frame[3] = length & 0xff;
        head = 4;
    }
    head += 4;
    if (head + length > sizeof frame)
        return;
    memcpy(frame + head, payload, length);
    if (write(reader->fd, frame, head + length) < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
        fail("write");
}

static void say(struct reader *reader, const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    send_frame(reader, 1, text, length);
}

static void leave(struct reader *reader)
{
    if (!reader->closed) {
        reader->closed = true;
        close(reader->fd);
        free(reader->rest);
        reader->rest = NULL;
    }
}

static void connect_next(int number)
{
    struct reader *reader = &readers[number];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    reader->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (reader->fd < 0)
        fail("socket");
    int small = STALLING_BUFFER_BYTES, yes = 1;
    if (number < stalling) /* or the kernel would read for it, megabytes ahead */
        setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(reader->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    setsockopt(reader->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /ws/market HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
                          port);
    if (write(reader->fd, request, length) != length)
        fail("write");
    fcntl(reader->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) < 0)
        fail("epoll_ctl");
    pending++;
}

/* The number behind a name, and where to read on; -1 when the name is not there. */
static long number_after(const char **at, const char *end, const char *name)
{
    const char *found = memmem(*at, end - *at, name, strlen(name));
    if (found == NULL)
        return -1;
    *at = found + strlen(name);
    return strtol(*at, NULL, 10); /* skips a space; every number is followed by , or } */
}

static void hear(struct reader *reader, const char *body, size_t length, double at_s)
{
    const char *at = body, *end = body + length;
    long from_seq = number_after(&at, end, "\"from_seq\":");
    if (from_seq < 0)
        return; /* a heartbeat or an error; whoever was refused is never greeted */
    long seq = number_after(&at, end, "\"seq\":");
    if (!reader->greeted) {
        reader->greeted = true;
        reader->seq = seq;
        greeted_count++;
        pending--;
        return;
    }
    long missing = from_seq ? from_seq - reader->seq - 1 : seq - reader->seq;
    counted.lost += missing > 0 ? missing : 0;
    reader->seq = seq > reader->seq ? seq : reader->seq;
    if (!from_seq || reader->stalled)
        return;
    counted.frames++;
    counted.bytes += length;
    if (counted.least_bytes < 0 || (long)length < counted.least_bytes)
        counted.least_bytes = length;
    for (long made_ms; (made_ms = number_after(&at, end, "\"at_ms\":")) >= 0;) {
        double waited_ms = at_s * 1000 - made_ms;
        int bucket = waited_ms < 0 ? 0 : waited_ms >= LATENCIES_MS ? LATENCIES_MS - 1 : (int)waited_ms;
        counted.latencies[bucket]++;
        counted.trades++;
    }
}

/* Takes in what has arrived; returns how much of it was whole. */
static size_t take(struct reader *reader, const char *data, size_t length, double at_s)
{
    size_t done = 0;
    if (!reader->upgraded) {
        const char *end = memmem(data, length, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        if (memcmp(data, "HTTP/1.1 101", 12) != 0) {
            fprintf(stderr, "refused: %.200s\n", data);
            exit(1);
        }
        reader->upgraded = true;
        done = end + 4 - data;
        say(reader, "{\"method\":\"subscribe\",\"subscription\":{\"type\":\"trades\",\"token\":\"%s\"}}", reader->token);
    }
    while (length - done >= 2) {
        const unsigned char *frame = (const unsigned char *)data + done;
        size_t size = frame[1] & 0x7f, head = 2;
        int extra = size == 126 ? 2 : size == 127 ? 8 : 0;
        if (length - done < head + extra)
            break;
        for (size = extra ? 0 : size; extra > 0; extra--)
            size = size << 8 | frame[head++];
        if (length - done < head + size)
            break;
        const char *body = data + done + head;
        int opcode = frame[0] & 0x0f;
        if (opcode == 1)
            hear(reader, body, size, at_s);
        else if (opcode == 9)
            send_frame(reader, 10, body, size);
        else if (opcode == 8)
            fprintf(stderr, "closed: %.*s\n", (int)(size > 2 ? size - 2 : 0), body + 2);
        done += head + size;
    }
    return done;
}

static void read_some(struct reader *reader)
{
    static char buffer[READ_BYTES + 1];
    size_t kept = reader->rest_length;
    if (kept >= READ_BYTES)
        fail("a frame longer than the buffer");
    memcpy(buffer, reader->rest, kept);
    ssize_t count = read(reader->fd, buffer + kept, READ_BYTES - kept);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0) {
        leave(reader);
        return;
    }
    size_t length = kept + count;
    buffer[length] = 0;
    size_t done = take(reader, buffer, length, now_s(CLOCK_REALTIME));
    reader->rest_length = length - done;
    reader->rest = realloc(reader->rest, reader->rest_length ? reader->rest_length : 1);
    memcpy(reader->rest, buffer + done, reader->rest_length);
}

static void read_for_ms(int wait_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, wait_ms);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr != NULL)
            read_some(events[i].data.ptr);
}

static bool all_have(long seq)
{
    for (int i = 0; i < reader_count; i++)
        if (!readers[i].stalled && !readers[i].closed && readers[i].seq < seq)
            return false;
    return true;
}

static int percentile_ms(double share)
{
    double wanted = counted.trades * share, sum = 0;
    for (int bucket = 0; bucket < LATENCIES_MS; bucket++)
        if ((sum += counted.latencies[bucket]) >= wanted)
            return bucket + 1; /* buckets begin at whole milliseconds: never less than it was */
    return LATENCIES_MS;
}

static void end_window(long seq)
{
    counted.window_s = now_s(CLOCK_MONOTONIC) - counted.began_s;
    counted.window_frames = counted.frames;
    double until_s = now_s(CLOCK_MONOTONIC) + SETTLE_MS / 1000.0;
    while (!all_have(seq) && now_s(CLOCK_MONOTONIC) < until_s)
        read_for_ms(20);
    int closed = 0, reading = 0;
    for (int i = 0; i < reader_count; i++) {
        closed += readers[i].closed && !readers[i].stalled;
        reading += !readers[i].stalled;
        if (!readers[i].stalled && readers[i].seq < seq)
            counted.lost += seq - readers[i].seq;
    }
    printf("{\"sockets\":%d,\"frames\":%ld,\"frames_per_s\":%.2f,\"trades\":%ld,\"dropped\":%ld,\"closed\":%d,"
           "\"p50_ms\":%d,\"p99_ms\":%d,\"max_ms\":%d,\"least_bytes\":%ld,\"mean_bytes\":%.0f}\n",
           reading, counted.frames, counted.window_frames / counted.window_s / reading, counted.trades, counted.lost,
           closed, percentile_ms(0.5), percentile_ms(0.99), percentile_ms(1), counted.least_bytes,
           counted.frames ? counted.bytes / counted.frames : 0);
    fflush(stdout);
}

static void stall(void)
{
    for (int i = 0; i < stalling; i++) {
        readers[i].stalled = true;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, readers[i].fd, NULL);
    }
}

/* Follows the orders that have come; false at the end of the input. */
static bool obey(void)
{
    static char line[256];
    static size_t length;
    ssize_t count = read(STDIN_FILENO, line + length, sizeof line - 1 - length);
    if (count <= 0)
        return count < 0 && errno == EAGAIN;
    line[length += count] = 0;
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
        if (strncmp(line, "begin", 5) == 0)
            forget_counts();
        else if (strncmp(line, "stall", 5) == 0)
            stall();
        else if (strncmp(line, "end ", 4) == 0)
            end_window(strtol(line + 4, NULL, 10));
        length -= end + 1 - line;
        memmove(line, end + 1, length + 1);
    }
    return true;
}

static char (*read_tokens(const char *path, int *count))[ADDRESS_LENGTH]
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    char(*tokens)[ADDRESS_LENGTH] = NULL;
    for (*count = 0;; ++*count) {
        tokens = realloc(tokens, (*count + 1) * sizeof *tokens);
        if (fscanf(file, "%63s", tokens[*count]) != 1)
            break;
    }
    fclose(file);
    return tokens;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: fan_out_client PORT SOCKETS STALLING LIMIT_S TOKENS_FILE\n");
        return 2;
    }
    port = atoi(argv[1]);
    reader_count = atoi(argv[2]);
    stalling = atoi(argv[3]);
    alarm(atoi(argv[4]));
    int token_count;
    char(*tokens)[ADDRESS_LENGTH] = read_tokens(argv[5], &token_count);
    readers = calloc(reader_count, sizeof *readers);
    epoll_fd = epoll_create1(0);
    for (int i = 0; i < reader_count; i++)
        readers[i].token = tokens[i % token_count];
    for (int made = 0; greeted_count < reader_count; read_for_ms(1))
        while (made < reader_count && pending < HANDSHAKES_AT_ONCE)
            connect_next(made++);
    puts("READY");
    fflush(stdout);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    struct epoll_event orders = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &orders);
    do
        read_for_ms(50);
    while (obey());
    return 0;
}
