/*
 * The start of the portable stella: one file that holds this launcher, Deno's own executable and the bundled program.
 *
 *   launcher | padding to 4096 | Deno's ELF image | stella.js | trailer
 *
 * It maps the image out of this very file and enters the system's dynamic loader, as the kernel would have done for a
 * separate file: nothing is unpacked, nothing is copied, no file is written, and /proc/PID/exe names stella. The script
 * goes into a small sealed memory file, because Deno wants a path. The arguments and the names of the environment are
 * those of src/config/permissions.ts (launcher_config.h is generated from it); no other variable gets through, because
 * Deno and the loader obey many of them before the program's first line.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher_config.h"
#include "launcher_elf.h"
#include "launcher_stack.h"
#include "launcher_sys.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 0x0001U
#define MFD_ALLOW_SEALING 0x0002U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008
#endif

/* The end of the file; src/assets/self.ts writes and reads it too. */
struct trailer {
  uint64_t image_offset, image_size, script_offset, script_size;
  uint8_t sha256[32]; /* of everything before it; checked by `stella version --check`, not at each start */
  char magic[8];
};

/* A file that gets number 0, 1 or 2 because that one was closed would be read or written as a standard stream. To write to
 * what stands in for a closed output still fails, so that nothing is lost unseen: Deno takes EBADF for success, and a socket
 * that is connected to nothing gives ENOTCONN. */
static void open_standard_streams(void) {
  for (int number = 0; number <= 2; number++) {
    if (CALL(SYS_fcntl, number, F_GETFD, 0, 0) >= 0) continue;
    if (number > 0 && CALL(SYS_socket, AF_UNIX, SOCK_DGRAM, 0, 0) >= 0) continue;
    must(CALL(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0), "opening /dev/null failed");
  }
}

static int open_self(void) {
  const char *link = "/proc/self/exe";
  long length = CALL(SYS_readlink, link, self_variable + sizeof SELF_NAME, path_limit - 1, 0);
  if (length <= 0 || length >= path_limit - 1) fail(link, " cannot be read (is /proc mounted?)", length);
  return (int)must(CALL(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0),
                   "opening the own file failed");
}

static struct trailer read_trailer(int self) {
  struct trailer trailer;
  long size = must(CALL(SYS_lseek, self, 0, SEEK_END, 0), "seeking in the own file failed");
  if (size < (long)sizeof trailer) fail("the file is too short", "", 0);
  read_exactly(self, &trailer, sizeof trailer, (uint64_t)size - sizeof trailer,
               "reading the end of the own file failed");
  if (memcmp(trailer.magic, TRAILER_MAGIC, sizeof trailer.magic) != 0) {
    fail("the file is cut or was changed: it does not end as a stella does; copy it again", "", 0);
  }
  return trailer;
}

static int create_memory_file(void) {
  const char *name = "stella.js";
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  long file = CALL(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL, 0, 0);
  /* Before Linux 6.3 the flag is unknown, and there is no vm.memfd_noexec that could ask for it. */
  if (file == -EINVAL) file = CALL(SYS_memfd_create, name, flags, 0, 0);
  return (int)must(file, "creating a memory file for the script failed");
}

/* Puts the script where Deno can open it, for the main thread now and for each worker later. */
static void provide_script(int self, const struct trailer *trailer) {
  int file = create_memory_file();
  int64_t offset = (int64_t)trailer->script_offset;
  for (uint64_t left = trailer->script_size; left > 0;) {
    long sent = must(CALL(SYS_sendfile, file, self, &offset, left), "copying the script failed");
    if (sent == 0) fail("the script is cut", "", 0);
    left -= (uint64_t)sent;
  }
  int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  must(CALL(SYS_fcntl, file, F_ADD_SEALS, seals, 0), "sealing the script failed");
  decimal(script_path + sizeof "/proc/self/fd/" - 1, (unsigned long)file);
}

static int contains(const char *text, const char *word) {
  for (; *text; text++) {
    if (memcmp(text, word, strlen(word)) == 0) return 1;
  }
  return 0;
}

#define GLIBC_NEEDED "stella needs glibc 2." GLIBC_MINOR_TEXT " or newer"

/* Up to glibc 2.33 the loader's name is a link to ld-2.VERSION.so, from 2.34 on it is a file: so old ones can be told. */
static void check_loader(const char *path) {
  char target[256 + 16] = {0};
  long length = CALL(SYS_readlink, path, target, 255, 0);
  if (length == -ENOENT) fail(path, " is not there: " GLIBC_NEEDED, 0);
  if (length <= 0) return;
  if (contains(target, "musl")) fail(path, " is musl's: " GLIBC_NEEDED, 0);
  const char *version = target + length;
  while (version > target && memcmp(version, "ld-2.", 5) != 0) version--;
  if (memcmp(version, "ld-2.", 5) != 0) return;
  int minor = 0;
  for (version += 5; *version >= '0' && *version <= '9'; version++) {
    minor = minor * 10 + (*version - '0');
  }
  if (minor < GLIBC_MINOR) fail("the system's glibc is too old: " GLIBC_NEEDED ", found ", target, 0);
}

static void load_program(int self, const struct trailer *trailer) {
  load_image(&program, self, trailer->image_offset);
  if (!program.interpreter[0]) fail("Deno names no loader", "", 0);
  check_loader(program.interpreter);
  long file = CALL(SYS_openat, AT_FDCWD, program.interpreter, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) fail("opening the system's loader failed: ", program.interpreter, file);
  load_image(&loader, (int)file, 0);
  CALL(SYS_close, file, 0, 0, 0);
}

__attribute__((noreturn)) static void enter(uintptr_t *stack, uintptr_t entry) {
  __asm__ volatile("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1"
                   :
                   : "a"(stack), "c"(entry)
                   : "memory");
  __builtin_unreachable();
}

/* `stack` is as the kernel left it: number of arguments, arguments, 0, variables, 0, facts (System V ABI, 3.4.1). */
__attribute__((noreturn, used)) void launch(uintptr_t *stack) {
  int count = (int)stack[0];
  char **given = (char **)(stack + 1), **variables = given + count + 1;
  size_t variables_count = 0, facts_count = 1;
  while (variables[variables_count]) variables_count++;
  const Elf64_auxv_t *facts = (const Elf64_auxv_t *)(variables + variables_count + 1);
  while (facts[facts_count - 1].a_type != AT_NULL) facts_count++;

  open_standard_streams();
  int self = open_self();
  struct trailer trailer = read_trailer(self);
  provide_script(self, &trailer);
  load_program(self, &trailer);
  CALL(SYS_close, self, 0, 0, 0);

  size_t words = 8 + arguments_count + (size_t)count + set_count + variables_count + 2 * facts_count;
  uintptr_t *next = __builtin_alloca_with_align((words * sizeof *next + 15) & ~(size_t)15, 128);
  uintptr_t *top = next;
  next = put_arguments(next, given, count);
  next = put_environment(next, variables);
  put_facts(next, facts);
  enter(top, entry_of(&loader));
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n\thlt");
