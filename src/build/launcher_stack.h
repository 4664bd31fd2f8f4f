/*
 * The new stack: what the kernel would have put there had it started Deno itself, with arguments and variables from the
 * one list and the person's own (System V ABI, AMD64 supplement, 3.4.1: "Initial Stack and Register State").
 */
#ifndef STELLA_LAUNCHER_STACK_H
#define STELLA_LAUNCHER_STACK_H

#include "launcher_config.h"
#include "launcher_elf.h"
#include "launcher_sys.h"

static const char *const arguments[] = {ARGUMENTS};
static const char *const passed_names[] = {PASSED_NAMES};
static const char *const set_variables[] = {SET_VARIABLES};
enum {
  arguments_count = sizeof arguments / sizeof *arguments,
  passed_count = sizeof passed_names / sizeof *passed_names,
  set_count = sizeof set_variables / sizeof *set_variables,
  path_limit = 4096,
};

static struct image program, loader;
static char home_variable[sizeof HOME_NAME "=" + path_limit] = HOME_NAME "=";
static char self_variable[sizeof SELF_NAME "=" + path_limit] = SELF_NAME "=";
static char script_path[sizeof "/proc/self/fd/" + 20] = "/proc/self/fd/";

/* Whether memory that was writable may become executable. Where it may not (MemoryDenyWriteExecute of systemd, SELinux
 * without execmem) V8 would abort; without its compiler it runs. */
static int compiler_is_refused(void) {
  void *page = map(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long refused = CALL(SYS_mprotect, page, page_size, PROT_READ | PROT_EXEC, 0);
  CALL(SYS_munmap, page, page_size, 0, 0);
  return refused < 0;
}

/* The value of `variable`, NAME=VALUE, if it has this name; else NULL. */
static const char *value_of(const char *variable, const char *name) {
  size_t length = strlen(name);
  return memcmp(variable, name, length) == 0 && variable[length] == '=' ? variable + length + 1 : NULL;
}

static int is_passed(const char *variable) {
  for (int i = 0; i < passed_count; i++) {
    if (value_of(variable, passed_names[i])) return 1;
  }
  return 0;
}

/* Deno would read .npmrc in HOME at each start, and end at a fault in it: the program gets HOME under another name. */
static void keep_home(char *const *given) {
  for (; *given; given++) {
    const char *home = value_of(*given, "HOME");
    if (!home) continue;
    size_t length = strlen(home);
    if (length >= path_limit) fail("HOME is longer than a path can be", "", 0);
    memcpy(home_variable + sizeof HOME_NAME, home, length + 1);
    return;
  }
}

static uintptr_t *put_arguments(uintptr_t *to, char *const *given, int count) {
  uintptr_t *first = ++to; /* the place before it holds their number */
  *to++ = (uintptr_t)(count > 0 ? given[0] : "stella");
  for (int i = 0; i < arguments_count; i++) *to++ = (uintptr_t)arguments[i];
  if (compiler_is_refused()) *to++ = (uintptr_t)"--v8-flags=--jitless";
  *to++ = (uintptr_t)script_path;
  for (int i = 1; i < count; i++) *to++ = (uintptr_t)given[i];
  first[-1] = (uintptr_t)(to - first);
  *to++ = 0;
  return to;
}

static uintptr_t *put_environment(uintptr_t *to, char *const *given) {
  keep_home(given);
  for (; *given; given++) {
    if (is_passed(*given)) *to++ = (uintptr_t)*given;
  }
  for (int i = 0; i < set_count; i++) *to++ = (uintptr_t)set_variables[i];
  *to++ = (uintptr_t)home_variable;
  *to++ = (uintptr_t)self_variable;
  *to++ = 0;
  return to;
}

/* The kernel's facts about the process, with the program in the place of the launcher. */
static void put_facts(uintptr_t *to, const Elf64_auxv_t *given) {
  for (;; given++) {
    uintptr_t value = given->a_un.a_val;
    if (given->a_type == AT_PHDR) value = headers_of(&program);
    if (given->a_type == AT_PHNUM) value = program.head.e_phnum;
    if (given->a_type == AT_ENTRY) value = entry_of(&program);
    if (given->a_type == AT_BASE) value = loader.bias;
    *to++ = given->a_type;
    *to++ = value;
    if (given->a_type == AT_NULL) return;
  }
}

#endif
