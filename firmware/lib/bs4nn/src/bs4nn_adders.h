/*
 * bs4nn_adders.h - bit-sliced adders: in C, and in Thumb assembly.
 *
 * In assembly a row is what the column has for the next spike.
 */
#ifndef BS4NN_ADDERS_H
#define BS4NN_ADDERS_H

#if !defined(__ASSEMBLER__)

#include "bs4nn_layout.h"

/* Two bits a and b in every lane, as a and as a ^ b. */
typedef struct {
    uint32_t one;
    uint32_t differ;
} pair_t;

static ALWAYS_INLINE pair_t pair_of(uint32_t a, uint32_t b)
{
    pair_t pair = {a, a ^ b};
    return pair;
}

/* Add a pair to `sum`; returns the carry. */
static ALWAYS_INLINE uint32_t add_pair(uint32_t *sum, pair_t pair)
{
    uint32_t any = (*sum ^ pair.one) | pair.differ; /* the carry is the sum, turned round in these lanes */
    *sum ^= pair.differ;
    any ^= *sum;
    return any;
}

/* Add two pairs to `sum`; returns the two carries as a pair, in 8 operations (two full adders take 10). */
static ALWAYS_INLINE pair_t add_pairs(uint32_t *sum, pair_t first, pair_t second)
{
#if FEW_REGISTERS
    uint32_t carry = add_pair(sum, first);
    return pair_of(carry, add_pair(sum, second));
#else
    pair_t carries;
    uint32_t any = (*sum ^ first.one) | first.differ;
    uint32_t between = *sum ^ first.differ;
    carries.one = any ^ between;
    KEEP_HERE(carries.one);
    carries.differ = any ^ ((between ^ second.one) & ~second.differ);
    *sum = between ^ second.differ;
    return carries;
#endif
}

#elif __ARM_ARCH_ISA_THUMB == 2

    spike .req r0; column .req r2; plane0 .req r9; plane1 .req r11; plane2 .req r12

/*
 * Bits travel in pairs, as `one` and `differ` = one ^ other. None of these touches the flags.
 *
 * Add a pair to sum; `one` becomes the carry.
 */
.macro add_pair sum, one, differ
    eor \one, \one, \sum
    orr \one, \one, \differ
    eor \sum, \sum, \differ
    eor \one, \one, \sum
.endm

/* Add two pairs to sum; the first pair becomes the two carries, its registers changed over. */
.macro add_pairs sum, one, differ, one2, differ2
    eor \one, \one, \sum
    orr \one, \one, \differ
    eor \sum, \sum, \differ
    eor \differ, \one, \sum
    eor \one2, \one2, \sum
    bic \one2, \one2, \differ2
    eor \one, \one, \one2
    eor \sum, \sum, \differ2
.endm

/* Add a bit to sum. */
.macro add_bit sum, bit, carry
    and \carry, \sum, \bit
    eor \sum, \sum, \bit
.endm

/* The row of the next spike. */
.macro row to
    ldrh \to, [spike], #2
    ldr \to, [column, \to, lsl #2]
.endm

/* The rows of the next two spikes, as a pair. */
.macro rows one, differ
    row \one
    row \differ
    eor \differ, \differ, \one
.endm

#else /* Thumb-1 */

    spike .req r0; column .req r1; plane0 .req r2; plane1 .req r8; plane2 .req r9

/*
 * Bits travel in pairs, as `one` and `differ` = one ^ other.
 *
 * Add a pair to sum; `one` becomes the carry.
 */
.macro add_pair sum, one, differ
    eors \one, \sum
    orrs \one, \differ
    eors \sum, \differ
    eors \one, \sum
.endm

/* Add a bit to sum. */
.macro add_bit sum, bit, carry
    movs \carry, \sum
    ands \carry, \bit
    eors \sum, \bit
.endm

/* The row of the spike that is `place` bytes on. */
.macro row to, place
    ldrh \to, [spike, #\place]
    lsls \to, \to, #2
    ldr \to, [column, \to]
.endm

/* Add the rows of two spikes to plane 0; `one` becomes the carry. */
.macro add_rows place, one, differ
    row \one, \place
    row \differ, \place + 2
    eors \differ, \one
    add_pair plane0, \one, \differ
.endm

#endif

#endif /* BS4NN_ADDERS_H */
