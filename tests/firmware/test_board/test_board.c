/* test_board.c - what the start-up code of a bare board owes to every program, on the host as well. */
#include "board.h"
#include "check.h"

static volatile uint32_t initialised = 0x12345678u;
static volatile uint8_t initialised_byte = 0x9Au; /* makes .data end off a word */
static volatile uint32_t zeroed[64];
static const uint16_t constants[3] = {1u, 0x8000u, 0xFFFFu};
static volatile unsigned one = 1; /* keeps the compiler from knowing which constant is read */

static void initial_values_are_in_ram(void)
{
    CHECK(initialised == 0x12345678u);
    CHECK(initialised_byte == 0x9Au);
    initialised = 1u;
    initialised_byte = 2u;
    CHECK(initialised == 1u && initialised_byte == 2u);
}

/* QEMU's RAM starts as zero, so that only a real board would show a start-up that forgets this. */
static void the_rest_is_zero(void)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < 64u; i++) {
        any |= zeroed[i];
    }
    CHECK(any == 0u);
}

static void constants_are_readable(void)
{
    CHECK(constants[one - 1u] == 1u && constants[one] == 0x8000u && constants[one + 1u] == 0xFFFFu);
}

/* Arm's calling convention wants 8 bytes; 64-bit locals rely on it. */
static void the_stack_is_aligned(void)
{
    volatile uint64_t local = 0;
    CHECK(((uintptr_t)&local & 7u) == 0u);
}

/* Frames arrive at any address; memcpy is the way to words in them on every core. */
static void unaligned_words_are_safe(void)
{
    static uint8_t bytes[12];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (unsigned offset = 0; offset < 8u; offset++) {
        uint32_t word = 0;
        memcpy(&word, bytes + offset, sizeof word);
        CHECK((word & 0xFFu) == offset && word >> 24 == offset + 3u);
    }
}

/* The library that comes with the compiler works without a start-up of its own. */
static void library_calls_work(void)
{
    volatile uint32_t dividend = 1000000007u;
    volatile uint64_t wide = 0xFFFFFFFFFFull;
    static uint8_t bytes[33];
    memset(bytes, 0x5A, sizeof bytes);
    CHECK(bytes[0] == 0x5Au && bytes[32] == 0x5Au);
    CHECK(dividend / 7u == 142857143u && dividend % 7u == 6u);
    CHECK(wide / 10u == 109951162777ull && wide * 3u == 3298534883325ull);
}

static void a_write_of_nothing_writes_nothing(void)
{
    board_write("lost", 0); /* would spoil the next line for the reader */
}

int main(void)
{
    board_init();
    RUN(initial_values_are_in_ram);
    RUN(the_rest_is_zero);
    RUN(constants_are_readable);
    RUN(the_stack_is_aligned);
    RUN(unaligned_words_are_safe);
    RUN(library_calls_work);
    RUN(a_write_of_nothing_writes_nothing);
    CHECK_END();
    return 0;
}
