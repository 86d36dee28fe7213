/*
 * bs4nn_small_sort_thumb2.S - sort_pixels() of bs4nn_small.c in assembly, for Thumb-2 (M3, M4, M7, M33):
 *
 *     uint32_t bs4nn_small_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 2

    places .req r0; spikes .req r1; pixel .req r2; end .req r9; end_of_16 .req r10; take .req r11
    function bs4nn_small_sort_pixels
    inputs .req r3; zero0 .req r4; zero1 .req r5; zero2 .req r6; zero3 .req r7; clear .req r8
    push {r2, r4-r11, lr}                   /* stack: pixels */
    movs zero0, #0
    movs zero1, #0
    movs zero2, #0
    movs zero3, #0
    mov clear, places
1:  stm clear!, {zero0, zero1, zero2, zero3}
    cmp clear, spikes
    blo 1b
    add end, pixel, inputs
    mov end_of_16, pixel
    unaligned .req r4
    lsls unaligned, pixel, #30              /* pixels that are not aligned are taken one at a time */
    itt eq
    biceq inputs, inputs, #15
    addeq end_of_16, pixel, inputs
    adr take, .Lcount + 1
    bl .Lscan
    sum .req r4; two .req r5; after .req r6; twice .req r3
    movs sum, #0                            /* the next place */
    strh sum, [places]
    add pixel, places, #512
1:  ldr two, [pixel, #-4]!
    lsrs after, two, #16
    adds after, after, sum
    orr twice, after, sum, lsl #16
    uxth two, two
    adds sum, after, two
    str twice, [pixel]
    cmp pixel, places
    bne 1b
    ldr pixel, [sp]
    adr take, .Lplace + 1
    bl .Lscan
    ldrh places, [places, #2]
    pop {r2, r4-r11, pc}

/* Do `take` with all pixels but the black ones of four: up to four in `word`, the first of them at `first`. */
    word .req r4; word1 .req r5; word2 .req r6; word3 .req r7; first .req r3
.Lscan:
    push {lr}                               /* stack: the way back, pixels */
    b 5f
1:  ldm pixel!, {word, word1, word2, word3}
    cbz word, 2f
    sub first, pixel, #16
    blx take
2:  cbz word1, 3f
    mov word, word1
    sub first, pixel, #12
    blx take
3:  cbz word2, 4f
    mov word, word2
    sub first, pixel, #8
    blx take
4:  cbz word3, 5f
    mov word, word3
    subs first, pixel, #4
    blx take
5:  cmp pixel, end_of_16
    bne 1b
6:  cmp pixel, end
    beq 7f
    mov first, pixel
    ldrb word, [pixel], #1
    blx take
    b 6b
7:  pop {pc}

    intensity .req r3; place .req r8
/* Count the pixels of a word by their intensities. */
    .thumb_func
.Lcount:
    uxtb intensity, word
    ldrh place, [places, intensity, lsl #1]
    add place, place, #1
    strh place, [places, intensity, lsl #1]
    lsrs word, word, #8
    bne .Lcount
    bx lr

    index0 .req r8
/* Put the pixels of a word to the others of their intensities. */
    .thumb_func
.Lplace:
    ldr index0, [sp, #4]
    sub first, first, index0
    bright .req r12
1:  uxtb bright, word
    ldrh place, [places, bright, lsl #1]
    strh first, [spikes, place, lsl #1]
    adds first, first, #1
    add place, place, #1
    strh place, [places, bright, lsl #1]
    lsrs word, word, #8
    bne 1b
    bx lr

    end_function bs4nn_small_sort_pixels

#endif
