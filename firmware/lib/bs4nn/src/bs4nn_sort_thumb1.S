/*
 * bs4nn_sort_thumb1.S - bs4nn_sort.c in assembly, for Thumb-1 (M0, M0+, M23):
 *
 *     uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 1

    places .req r0; spikes .req r1; end .req r3; pixel .req r7; pixels .req r8
    intensity .req r5; place .req r6; offset .req r2; index .req r4
/* Count the pixel that is `byte` bytes on. */
.macro count byte
    ldrb intensity, [pixel, #\byte]
    lsls intensity, intensity, #1
    ldrh place, [places, intensity]
    adds place, place, #1
    strh place, [places, intensity]
.endm

/* Put pixel `index`, which is `byte` bytes on, to the others of its intensity. */
.macro put byte
    ldrb intensity, [pixel, #\byte]
    lsls intensity, intensity, #1
    ldrh place, [places, intensity]
    lsls offset, place, #1
    strh index, [spikes, offset]
    adds place, place, #1
    strh place, [places, intensity]
.endm

.macro put_four byte
    mov index, pixels
    subs index, pixel, index
.if \byte
    adds index, index, #\byte
.endif
    put \byte
    adds index, index, #1
    put \byte + 1
    adds index, index, #1
    put \byte + 2
    adds index, index, #1
    put \byte + 3
.endm

    function bs4nn_sort_pixels
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    push {r4, r5}
    mov pixels, r2
    adds end, end, r2
    zero0 .req r4; zero1 .req r5; zero2 .req r6; zero3 .req r7; rounds .req r2
    movs zero0, #0
    movs zero1, #0
    movs zero2, #0
    movs zero3, #0
    movs rounds, #16
1:  stm places!, {zero0, zero1, zero2, zero3}
    stm places!, {zero0, zero1, zero2, zero3}
    subs rounds, rounds, #1
    bne 1b
    movs rounds, #128
    lsls rounds, rounds, #2
    subs places, places, rounds

    four .req r4; end_of_8 .req r9
    mov pixel, pixels
    b 3f
2:  count 0
    adds pixel, pixel, #1
3:  cmp pixel, end                          /* one at a time up to a word */
    beq .Lcounted
    lsls four, pixel, #30
    bne 2b
    subs four, end, pixel
    lsrs four, four, #3
    lsls four, four, #3
    adds four, four, pixel
    mov end_of_8, four
    b 6f
4:  ldr four, [pixel]
    cmp four, #0
    beq 5f
    count 0
    count 1
    count 2
    count 3
5:  ldr four, [pixel, #4]
    adds pixel, pixel, #8
    cmp four, #0
    beq 6f
    subs pixel, pixel, #4
    count 0
    count 1
    count 2
    count 3
    adds pixel, pixel, #4
6:  cmp pixel, end_of_8
    bne 4b
    b 8f
7:  count 0
    adds pixel, pixel, #1
8:  cmp pixel, end
    bne 7b

    sum .req r4; slot .req r2; number .req r5; number1 .req r6
.Lcounted:
    movs sum, #0                            /* the next place */
    strh sum, [places]
    adds slot, slot, places
1:  subs slot, slot, #8                     /* four at a time, for most intensities have no pixel */
    ldr number, [slot]
    ldr number1, [slot, #4]
    orrs number, number1
    beq 2f
    ldrh number, [slot, #6]
    strh sum, [slot, #6]
    adds sum, sum, number
    ldrh number, [slot, #4]
    strh sum, [slot, #4]
    adds sum, sum, number
    ldrh number, [slot, #2]
    strh sum, [slot, #2]
    adds sum, sum, number
    ldrh number, [slot]
    strh sum, [slot]
    adds sum, sum, number
    b 3f
2:  lsls number, sum, #16
    orrs number, sum
    str number, [slot]
    str number, [slot, #4]
3:  cmp slot, places
    bne 1b
    strh sum, [places]
    push {r4}

    mov pixel, pixels
    b 3f
2:  mov four, pixels
    subs four, pixel, four
    put 0
    adds pixel, pixel, #1
3:  cmp pixel, end
    beq 9f
    lsls four, pixel, #30
    bne 2b
    b 6f
4:  ldr four, [pixel]
    cmp four, #0
    beq 5f
    put_four 0
5:  ldr four, [pixel, #4]
    cmp four, #0
    beq 1f
    put_four 4
1:  adds pixel, pixel, #8
6:  cmp pixel, end_of_8
    bne 4b
    b 8f
7:  mov four, pixels
    subs four, pixel, four
    put 0
    adds pixel, pixel, #1
8:  cmp pixel, end
    bne 7b
9:  pop {r0, r4, r5}
    mov pixels, four
    mov end_of_8, r5
    pop {r4-r7, pc}

    end_function bs4nn_sort_pixels

#endif
