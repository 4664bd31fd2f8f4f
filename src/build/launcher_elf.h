/*
 * Puts an ELF image that lies somewhere inside a file into memory, as the kernel's own exec does (linux/fs/binfmt_elf.c
 * is the reference for the rules; System V ABI, chapter 5). Only position-independent images for x86-64.
 */
#ifndef STELLA_LAUNCHER_ELF_H
#define STELLA_LAUNCHER_ELF_H

#include <elf.h>
#include <sys/mman.h>

#include "launcher_sys.h"

enum { page_size = 4096, headers_limit = 64 };

struct image {
  Elf64_Ehdr head;
  Elf64_Phdr parts[headers_limit];
  char interpreter[256];
  uintptr_t bias;  /* what is added to the addresses in the file */
};

static uintptr_t page_below(uintptr_t address) { return address & ~(uintptr_t)(page_size - 1); }
static uintptr_t page_above(uintptr_t address) { return page_below(address + page_size - 1); }

static void *map(void *at, size_t length, int protection, int flags, int file, uint64_t offset) {
  long got = call6(SYS_mmap, (long)at, (long)length, protection, flags, file, (long)offset);
  return (void *)must(got, "mapping the program failed");
}

static void read_headers(struct image *image, int file, uint64_t base) {
  Elf64_Ehdr *head = &image->head;
  read_exactly(file, head, sizeof *head, base, "reading the program's header failed");
  if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64 ||
      head->e_machine != EM_X86_64 || head->e_type != ET_DYN) {
    fail("the program is not a position-independent one for x86-64", "", 0);
  }
  if (head->e_phentsize != sizeof(Elf64_Phdr) || head->e_phnum > headers_limit) {
    fail("the program has more parts than expected", "", 0);
  }
  read_exactly(file, image->parts, head->e_phnum * sizeof(Elf64_Phdr), base + head->e_phoff,
               "reading the program's parts failed");
}

/* Sets aside one stretch of addresses for all parts, so that their distances stay as the linker chose them. */
static void reserve(struct image *image) {
  uintptr_t low = UINTPTR_MAX, high = 0, align = page_size;
  for (int i = 0; i < image->head.e_phnum; i++) {
    const Elf64_Phdr *part = &image->parts[i];
    if (part->p_type != PT_LOAD) continue;
    if (part->p_vaddr < low) low = page_below(part->p_vaddr);
    if (part->p_vaddr + part->p_memsz > high) high = page_above(part->p_vaddr + part->p_memsz);
    if (part->p_align > align) align = part->p_align;
  }
  if (low >= high) fail("the program has nothing to load", "", 0);
  uintptr_t start = (uintptr_t)map(NULL, high - low + align, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  image->bias = ((start + align - 1) & ~(align - 1)) - low;
}

/* What a part has in memory beyond its bytes in the file is zero, to the end of the page: ld.so's first allocations
 * come from there. */
static void zero_tail(uintptr_t from, uintptr_t to, int protection) {
  uintptr_t page = page_above(from);
  if (protection & PROT_WRITE) memset((void *)from, 0, page - from);
  if (to > page) {
    map((void *)page, to - page, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  }
}

static void map_part(const struct image *image, const Elf64_Phdr *part, int file, uint64_t base) {
  int protection = (part->p_flags & PF_R ? PROT_READ : 0) | (part->p_flags & PF_W ? PROT_WRITE : 0) |
                   (part->p_flags & PF_X ? PROT_EXEC : 0);
  uintptr_t start = image->bias + part->p_vaddr;
  uintptr_t lead = start - page_below(start);
  if (part->p_filesz > 0) {
    map((void *)(start - lead), part->p_filesz + lead, protection, MAP_PRIVATE | MAP_FIXED, file,
        base + part->p_offset - lead);
  }
  if (part->p_memsz > part->p_filesz) {
    zero_tail(start + part->p_filesz, start + part->p_memsz, protection);
  }
}

/* Loads the image whose first byte is at `base` of `file`; `interpreter` is empty where the image names none. */
static void load_image(struct image *image, int file, uint64_t base) {
  read_headers(image, file, base);
  reserve(image);
  for (int i = 0; i < image->head.e_phnum; i++) {
    const Elf64_Phdr *part = &image->parts[i];
    if (part->p_type == PT_LOAD) map_part(image, part, file, base);
    if (part->p_type != PT_INTERP) continue;
    if (part->p_filesz >= sizeof image->interpreter) fail("the loader's name is too long", "", 0);
    read_exactly(file, image->interpreter, part->p_filesz, base + part->p_offset,
                 "reading the loader's name failed");
  }
}

static uintptr_t entry_of(const struct image *image) { return image->bias + image->head.e_entry; }

/* Where the program headers are in memory: inside the part of the file that holds them. */
static uintptr_t headers_of(const struct image *image) {
  for (int i = 0; i < image->head.e_phnum; i++) {
    const Elf64_Phdr *part = &image->parts[i];
    uint64_t place = image->head.e_phoff;
    if (part->p_type == PT_LOAD && part->p_offset <= place && place < part->p_offset + part->p_filesz) {
      return image->bias + part->p_vaddr + (place - part->p_offset);
    }
  }
  fail("the program's headers are not in memory", "", 0);
}

#endif
