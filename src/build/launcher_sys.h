/*
 * The kernel, without a C library: a library would start threads' storage, restartable sequences and a heap of its own
 * in a process that is about to become another program, and would read LD_* before the launcher's first line.
 * A call returns what the kernel returns: a value, or a negative error number.
 */
#ifndef STELLA_LAUNCHER_SYS_H
#define STELLA_LAUNCHER_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

static long call6(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define CALL(number, a, b, c, d) call6(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* Compilers put in calls of these four by themselves. The first two are one instruction, so that no compiler can turn
 * their loop into a call of themselves. */
void *memset(void *to, int byte, size_t count) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
  return to;
}

void *memcpy(void *to, const void *from, size_t count) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  const unsigned char *left = a, *right = b;
  for (size_t i = 0; i < count; i++) {
    if (left[i] != right[i]) return left[i] - right[i];
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

/* Writes a number in decimal and a NUL to `to`, which holds 21 bytes; gives the number of digits. */
static size_t decimal(char *to, unsigned long value) {
  char reversed[20];
  size_t length = 0;
  do reversed[length++] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  for (size_t i = 0; i < length; i++) to[i] = reversed[length - 1 - i];
  to[length] = 0;
  return length;
}

static void say(const char *text) { CALL(SYS_write, 2, text, strlen(text), 0); }

/* Ends the process with code 1; `error` is a negative error number, or 0 where there is none. */
__attribute__((noreturn)) static void fail(const char *what, const char *about, long error) {
  char digits[21];
  say("stella: Cannot start: ");
  say(what);
  say(about);
  if (error < 0) {
    decimal(digits, (unsigned long)-error);
    say(" (error ");
    say(digits);
    say(" of the system)");
  }
  say("\n");
  for (;;) CALL(SYS_exit_group, 1, 0, 0, 0);
}

/* A call that must succeed. */
static long must(long result, const char *what) {
  if (result < 0) fail(what, "", result);
  return result;
}

static void read_exactly(int file, void *to, size_t count, uint64_t offset, const char *what) {
  for (size_t done = 0; done < count;) {
    long got = must(CALL(SYS_pread64, file, (char *)to + done, count - done, offset + done), what);
    if (got == 0) fail(what, ": the file is too short", 0);
    done += (size_t)got;
  }
}

#endif
