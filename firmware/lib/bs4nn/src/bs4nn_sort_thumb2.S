/*
 * bs4nn_sort_thumb2.S - bs4nn_sort.c in assembly, for Thumb-2 (M3, M4, M7, M33):
 *
 *     uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 2

    places .req r0; spikes .req r1; pixel .req r2; end .req r3
    place .req lr; intensity .req r12; index .req r8; next_index .req r9
/* Count the pixel of this intensity. */
.macro count intensity
    ldrh place, [places, \intensity, lsl #1]
    add place, place, #1
    strh place, [places, \intensity, lsl #1]
.endm

.macro count_four word
    uxtb intensity, \word
    count intensity
    uxtb intensity, \word, ror #8
    count intensity
    uxtb intensity, \word, ror #16
    count intensity
    lsr intensity, \word, #24
    count intensity
.endm

/* Put pixel `index` to the others of its intensity. */
.macro put intensity
    ldrh place, [places, \intensity, lsl #1]
    strh index, [spikes, place, lsl #1]
    add place, place, #1
    strh place, [places, \intensity, lsl #1]
.endm

.macro put_four word, back
    sub index, next_index, #\back
    uxtb intensity, \word
    put intensity
    add index, index, #1
    uxtb intensity, \word, ror #8
    put intensity
    add index, index, #1
    uxtb intensity, \word, ror #16
    put intensity
    add index, index, #1
    lsr intensity, \word, #24
    put intensity
.endm

    function bs4nn_sort_pixels
    zero0 .req r4; zero1 .req r5; zero2 .req r6; zero3 .req r7; places_end .req r8
    push {r2, r4-r10, lr}
    movs zero0, #0
    movs zero1, #0
    movs zero2, #0
    movs zero3, #0
    add places_end, places, #512
1:  stm places!, {zero0, zero1, zero2, zero3}
    stm places!, {zero0, zero1, zero2, zero3}
    cmp places, places_end
    bne 1b
    sub places, places, #512
    add end, end, pixel

    end_of_16 .req r10; four0 .req r4; four1 .req r5; four2 .req r6; four3 .req r7
2:  tst pixel, #3                           /* one at a time up to a word */
    beq 3f
    cmp pixel, end
    beq .Lcounted
    ldrb intensity, [pixel], #1
    count intensity
    b 2b
3:  sub end_of_16, end, pixel
    bic end_of_16, end_of_16, #15
    add end_of_16, end_of_16, pixel
    b 8f
4:  ldm pixel!, {four0, four1, four2, four3}
    cbz four0, 5f
    count_four four0
5:  cbz four1, 6f
    count_four four1
6:  cbz four2, 7f
    count_four four2
7:  cbz four3, 8f
    count_four four3
8:  cmp pixel, end_of_16
    bne 4b
9:  cmp pixel, end
    beq .Lcounted
    ldrb intensity, [pixel], #1
    count intensity
    b 9b

    sum .req r4; slot .req r6; two0 .req r7; two1 .req r8; middle .req r5; last .req r9
.Lcounted:
    movs sum, #0                            /* the next place */
    strh sum, [places]
    add slot, places, #512
1:  ldrd two0, two1, [slot, #-8]!           /* four at a time, for most intensities have no pixel */
    orrs middle, two0, two1
    beq 2f
    lsr last, two1, #16
    uxth two1, two1
    add last, last, sum
    add middle, last, two1
    orr two1, last, sum, lsl #16
    lsr last, two0, #16
    uxth two0, two0
    add last, last, middle
    add sum, last, two0
    orr two0, last, middle, lsl #16
    b 3f
2:  orr two0, sum, sum, lsl #16
    mov two1, two0
3:  strd two0, two1, [slot]
    cmp slot, places
    bne 1b
    strh sum, [places]
    ldr pixel, [sp]
    str sum, [sp]

    mov next_index, #0
1:  tst pixel, #3
    beq 2f
    cmp pixel, end
    beq .Lput_all
    ldrb intensity, [pixel], #1
    mov index, next_index
    put intensity
    add next_index, next_index, #1
    b 1b
2:  cmp pixel, end_of_16
    beq 8f
3:  ldm pixel!, {four0, four1, four2, four3}
    add next_index, next_index, #16
    cbz four0, 4f
    put_four four0, 16
4:  cbz four1, 5f
    put_four four1, 12
5:  cbz four2, 6f
    put_four four2, 8
6:  cbz four3, 7f
    put_four four3, 4
7:  cmp pixel, end_of_16
    bne 3b
8:  cmp pixel, end
    beq .Lput_all
    ldrb intensity, [pixel], #1
    mov index, next_index
    put intensity
    add next_index, next_index, #1
    b 8b
.Lput_all:
    pop {r0, r4-r10, pc}

    end_function bs4nn_sort_pixels

#endif
