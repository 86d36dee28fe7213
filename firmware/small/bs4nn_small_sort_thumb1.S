/*
 * bs4nn_small_sort_thumb1.S - sort_pixels() of bs4nn_small.c in assembly, for Thumb-1 (M0, M0+, M23):
 *
 *     uint32_t bs4nn_small_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 1

    places .req r0; spikes .req r1; pixel .req r7; take .req r8; pixels .req r9; end .req r10; end_of_8 .req r11
    function bs4nn_small_sort_pixels
    mov r12, r8
    push {r4-r7, lr}
    mov r4, r9
    mov r5, r10
    mov r6, r11
    mov r7, r12
    push {r4-r7}
    unaligned .req r4; inputs .req r3; start .req r2
    mov pixels, start
    movs pixel, start
    adds unaligned, start, inputs
    mov end, unaligned
    lsls unaligned, start, #30                 /* pixels that are not aligned are taken one at a time */
    beq 1f
    movs inputs, #0
1:  lsrs inputs, inputs, #3
    lsls inputs, inputs, #3
    adds inputs, inputs, start
    mov end_of_8, inputs
    clear .req r2; zero0 .req r3; zero1 .req r4; zero2 .req r5; zero3 .req r6
    movs clear, places
    movs zero0, #0
    movs zero1, #0
    movs zero2, #0
    movs zero3, #0
1:  stm clear!, {zero0, zero1, zero2, zero3}
    cmp clear, spikes
    blo 1b
    routine .req r2
    adr routine, .Lcount
    bl .Lscan
    sum .req r4; slot .req r2; number .req r5
    movs sum, #0                            /* the next place */
    strh sum, [places]
    movs slot, #128
    lsls slot, slot, #2
    adds slot, slot, places
1:  subs slot, slot, #4
    ldrh number, [slot, #2]
    strh sum, [slot, #2]
    adds sum, sum, number
    ldrh number, [slot]
    strh sum, [slot]
    adds sum, sum, number
    cmp slot, places
    bne 1b
    mov pixel, pixels
    adr routine, .Lplace
    bl .Lscan
    ldrh places, [places, #2]
    pop {r4-r7}
    mov r9, r4
    mov r10, r5
    mov r11, r6
    mov r8, r7
    pop {r4-r7, pc}

/* Do `routine` with all pixels but the black ones of four: up to four in `word`, the first of them at `first`. */
    word .req r4; word1 .req r5; first .req r3
.Lscan:
    push {lr}
    adds routine, routine, #1               /* Thumb */
    mov take, routine
    b 3f
1:  ldm pixel!, {word, word1}
    cmp word, #0
    beq 2f
    subs first, pixel, #7
    subs first, first, #1
    blx take
2:  movs word, word1
    beq 3f
    subs first, pixel, #4
    blx take
3:  cmp pixel, end_of_8
    bne 1b
4:  cmp pixel, end
    beq 5f
    ldrb word, [pixel]
    movs first, pixel
    adds pixel, pixel, #1
    blx take
    b 4b
5:  pop {pc}

    intensity .req r6; place .req r2
/* Count the pixels of a word by their intensities. */
    .balign 4
.Lcount:
    uxtb intensity, word
    lsls intensity, intensity, #1
    ldrh place, [places, intensity]
    adds place, place, #1
    strh place, [places, intensity]
    lsrs word, word, #8
    bne .Lcount
    bx lr

/* Put the pixels of a word to the others of their intensities. */
    .balign 4
.Lplace:
    mov place, pixels
    subs first, first, place
1:  uxtb intensity, word
    lsls intensity, intensity, #1
    ldrh place, [places, intensity]
    adds place, place, #1
    strh place, [places, intensity]
    lsls place, place, #1
    subs place, place, #2
    strh first, [spikes, place]
    adds first, first, #1
    lsrs word, word, #8
    bne 1b
    bx lr

    end_function bs4nn_small_sort_pixels

#endif
