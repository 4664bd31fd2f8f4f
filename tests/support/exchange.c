/*
 * Exchanges two paths with renameat2, there and back, as somebody who may write in a source can do:
 *   exchange random  PATH OTHER COUNT SEED           at random times
 *   exchange watched PATH OTHER COUNT SEED PLACE...  when something happens in a PLACE (inotify)
 *   exchange between PATH OTHER IN OUT               there when IN is opened, back when OUT is
 * It says "ready", works until its standard input ends, leaves PATH in its place, and prints how
 * many times it exchanged them there and back. COUNT is the most.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static const char *path, *other;
static unsigned long long state;
static long exchanges;

static unsigned next_random(unsigned below) {
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (unsigned)(state >> 33) % below;
}

static void exchange(void) {
  if (renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE) == 0) exchanges++;
  else perror("renameat2");
}

static int has_ended(int milliseconds, int events) {
  struct pollfd fds[2] = {{0, POLLIN, 0}, {events, POLLIN, 0}};
  if (poll(fds, events < 0 ? 1 : 2, milliseconds) < 0) exit(1);
  return fds[0].revents != 0;
}

/* Half of them for a few microseconds, the others for up to a few milliseconds. */
static void wait_a_while(void) {
  unsigned nanoseconds = next_random(2) ? next_random(30000) : next_random(4000000);
  struct timespec time = {0, nanoseconds};
  nanosleep(&time, NULL);
}

static void at_random(long count) {
  while (exchanges < 2 * count && !has_ended(0, -1)) {
    exchange();
    wait_a_while();
    exchange();
    wait_a_while();
  }
  while (!has_ended(1000, -1)) continue;
}

static int watch(int places, char **paths, unsigned mask) {
  int events = inotify_init1(IN_NONBLOCK);
  for (int i = 0; i < places; i++) {
    if (inotify_add_watch(events, paths[i], mask) < 0) { perror(paths[i]); exit(1); }
  }
  return events;
}

static int drain(int events) {
  char buffer[65536] __attribute__((aligned(8)));
  return read(events, buffer, sizeof buffer) > 0;
}

static void when_watched(long count, int places, char **paths) {
  int events = watch(places, paths, IN_OPEN | IN_ACCESS | IN_CLOSE);
  puts("ready"); fflush(stdout);
  int is_there = 0;
  while (!has_ended(1000, events)) {
    if (!drain(events) || exchanges >= 2 * count) continue;
    if (next_random(3) == 0) continue;
    if (next_random(4) == 0) wait_a_while();
    exchange();
    is_there = !is_there;
    /* What happens behind a link is not watched: go back after a while. */
    if (is_there && next_random(2)) { wait_a_while(); exchange(); is_there = 0; }
  }
  if (is_there) exchange();
}

static void between(char *in, char *out) {
  char *paths[] = {in, out};
  int events = inotify_init1(0);
  int first = inotify_add_watch(events, paths[0], IN_OPEN);
  int last = inotify_add_watch(events, paths[1], IN_OPEN);
  if (first < 0 || last < 0) { perror("inotify_add_watch"); exit(1); }
  puts("ready"); fflush(stdout);
  int is_there = 0;
  while (!has_ended(1000, events)) {
    struct pollfd one = {events, POLLIN, 0};
    if (poll(&one, 1, 0) <= 0) continue;
    char buffer[65536] __attribute__((aligned(8)));
    ssize_t length = read(events, buffer, sizeof buffer);
    for (char *at = buffer; at < buffer + length;) {
      struct inotify_event *event = (struct inotify_event *)at;
      at += sizeof *event + event->len;
      if (event->wd == (is_there ? last : first)) { exchange(); is_there = !is_there; }
    }
  }
  if (is_there) exchange();
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  path = argv[2];
  other = argv[3];
  if (strcmp(argv[1], "between") == 0) between(argv[4], argv[5]);
  else {
    state = strtoull(argv[5], NULL, 10);
    if (strcmp(argv[1], "watched") == 0) when_watched(atol(argv[4]), argc - 6, argv + 6);
    else { puts("ready"); fflush(stdout); at_random(atol(argv[4])); }
  }
  printf("%ld\n", exchanges / 2);
  return 0;
}
