/*
 * bs4nn_adders.h - bit-sliced adders in Thumb assembly, for bs4nn_cortex_m.S and bs4nn_small_cortex_m.S.
 *
 * Rows are found by r0, the next spike, and r2 (Thumb-2) or r1 (Thumb-1), the column.
 */
#ifndef BS4NN_ADDERS_H
#define BS4NN_ADDERS_H

#if __ARM_ARCH_ISA_THUMB == 2

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
    ldrh \to, [r0], #2
    ldr \to, [r2, \to, lsl #2]
.endm

/* The rows of the next two spikes, as a pair. */
.macro rows one, differ
    row \one
    row \differ
    eor \differ, \differ, \one
.endm

#else /* Thumb-1 */

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

/* The row of the spike at `place` bytes from r0. */
.macro row to, place
    ldrh \to, [r0, #\place]
    lsls \to, \to, #2
    ldr \to, [r1, \to]
.endm

/* Add the rows of two spikes to plane 0; `one` becomes the carry. */
.macro add_rows place, one, differ
    row \one, \place
    row \differ, \place + 2
    eors \differ, \one
    add_pair r2, \one, \differ
.endm

#endif

#endif /* BS4NN_ADDERS_H */
