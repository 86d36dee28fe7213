/*
 * bs4nn_cortex_m.S - the inner loops of bs4nn.c for Cortex-M, in assembly.
 *
 *     uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 *
 * does what sort_pixels() of bs4nn.c does, and
 *
 *     void bs4nn_look_at_list(layer_t *at, uint32_t w);
 *
 * what look_at_list() does, and with it catch_up(), fire_word(), fire_direct() and count_batch() in the most
 * frequent case: the low planes stay in registers, the upper ones are loaded and stored four at a time. One version
 * for Thumb-2 (M3, M4, M7, M33), one for Thumb-1 (M0, M0+, M23).
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY

#include "bs4nn_adders.h"
#include "bs4nn_cortex_m.h"

    .syntax unified
    .thumb
    .section .text.bs4nn_sort_pixels, "ax", %progbits
    .balign 4
    .weak bs4nn_sort_pixels
    .type bs4nn_sort_pixels, %function
    .thumb_func
bs4nn_sort_pixels:

#if __ARM_ARCH_ISA_THUMB == 2

/* Count the pixel of this intensity. */
.macro count intensity
    ldrh lr, [r0, \intensity, lsl #1]
    add lr, lr, #1
    strh lr, [r0, \intensity, lsl #1]
.endm

.macro count_four word
    uxtb r12, \word
    count r12
    uxtb r12, \word, ror #8
    count r12
    uxtb r12, \word, ror #16
    count r12
    lsr r12, \word, #24
    count r12
.endm

/* Put pixel r8 to the others of its intensity. */
.macro put intensity
    ldrh lr, [r0, \intensity, lsl #1]
    strh r8, [r1, lr, lsl #1]
    add lr, lr, #1
    strh lr, [r0, \intensity, lsl #1]
.endm

.macro put_four word, back
    sub r8, r9, #\back
    uxtb r12, \word
    put r12
    add r8, r8, #1
    uxtb r12, \word, ror #8
    put r12
    add r8, r8, #1
    uxtb r12, \word, ror #16
    put r12
    add r8, r8, #1
    lsr r12, \word, #24
    put r12
.endm

/*
 * r0 places, r1 spikes, r2 next pixel, r3 end of the pixels, r9 number of the next pixel, r10 end of those taken
 * sixteen at a time
 */
    push {r2, r4-r10, lr}
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    add r8, r0, #512
1:  stm r0!, {r4-r7}
    stm r0!, {r4-r7}
    cmp r0, r8
    bne 1b
    sub r0, r0, #512
    add r3, r3, r2

2:  tst r2, #3                              /* one at a time up to a word */
    beq 3f
    cmp r2, r3
    beq .Lcounted_all
    ldrb r12, [r2], #1
    count r12
    b 2b
3:  sub r10, r3, r2
    bic r10, r10, #15
    add r10, r10, r2
    b 8f
4:  ldm r2!, {r4-r7}
    cbz r4, 5f
    count_four r4
5:  cbz r5, 6f
    count_four r5
6:  cbz r6, 7f
    count_four r6
7:  cbz r7, 8f
    count_four r7
8:  cmp r2, r10
    bne 4b
9:  cmp r2, r3
    beq .Lcounted_all
    ldrb r12, [r2], #1
    count r12
    b 9b

.Lcounted_all:
    movs r4, #0                             /* the next place */
    strh r4, [r0]
    add r6, r0, #512
1:  ldrd r7, r8, [r6, #-8]!                 /* four at a time, for most intensities have no pixel */
    orrs r5, r7, r8
    beq 2f
    lsr r9, r8, #16
    uxth r8, r8
    add r9, r9, r4
    add r5, r9, r8
    orr r8, r9, r4, lsl #16
    lsr r9, r7, #16
    uxth r7, r7
    add r9, r9, r5
    add r4, r9, r7
    orr r7, r9, r5, lsl #16
    b 3f
2:  orr r7, r4, r4, lsl #16
    mov r8, r7
3:  strd r7, r8, [r6]
    cmp r6, r0
    bne 1b
    strh r4, [r0]
    ldr r2, [sp]
    str r4, [sp]

    mov r9, #0
1:  tst r2, #3
    beq 2f
    cmp r2, r3
    beq .Lput_all
    ldrb r12, [r2], #1
    mov r8, r9
    put r12
    add r9, r9, #1
    b 1b
2:  cmp r2, r10
    beq 8f
3:  ldm r2!, {r4-r7}
    add r9, r9, #16
    cbz r4, 4f
    put_four r4, 16
4:  cbz r5, 5f
    put_four r5, 12
5:  cbz r6, 6f
    put_four r6, 8
6:  cbz r7, 7f
    put_four r7, 4
7:  cmp r2, r10
    bne 3b
8:  cmp r2, r3
    beq .Lput_all
    ldrb r12, [r2], #1
    mov r8, r9
    put r12
    add r9, r9, #1
    b 8b
.Lput_all:
    pop {r0, r4-r10, pc}

#else /* Thumb-1 */

/* Count the pixel at r7 + `at`. */
.macro count at
    ldrb r5, [r7, #\at]
    lsls r5, r5, #1
    ldrh r6, [r0, r5]
    adds r6, r6, #1
    strh r6, [r0, r5]
.endm

/* Put pixel r4, which is at r7 + `at`, to the others of its intensity. */
.macro put at
    ldrb r5, [r7, #\at]
    lsls r5, r5, #1
    ldrh r6, [r0, r5]
    lsls r2, r6, #1
    strh r4, [r1, r2]
    adds r6, r6, #1
    strh r6, [r0, r5]
.endm

.macro put_four at
    mov r4, r8
    subs r4, r7, r4
.if \at
    adds r4, r4, #\at
.endif
    put \at
    adds r4, r4, #1
    put \at + 1
    adds r4, r4, #1
    put \at + 2
    adds r4, r4, #1
    put \at + 3
.endm

/* r0 places, r1 spikes, r3 end of the pixels, r7 next pixel, r8 first pixel, r9 end of those taken eight at a time */
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    push {r4, r5}
    mov r8, r2
    adds r3, r3, r2
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    movs r2, #16
1:  stm r0!, {r4-r7}
    stm r0!, {r4-r7}
    subs r2, r2, #1
    bne 1b
    movs r2, #128
    lsls r2, r2, #2
    subs r0, r0, r2

    mov r7, r8
    b 3f
2:  count 0
    adds r7, r7, #1
3:  cmp r7, r3                              /* one at a time up to a word */
    beq .Lcounted_all
    lsls r4, r7, #30
    bne 2b
    subs r4, r3, r7
    lsrs r4, r4, #3
    lsls r4, r4, #3
    adds r4, r4, r7
    mov r9, r4
    b 6f
4:  ldr r4, [r7]
    cmp r4, #0
    beq 5f
    count 0
    count 1
    count 2
    count 3
5:  ldr r4, [r7, #4]
    adds r7, r7, #8
    cmp r4, #0
    beq 6f
    subs r7, r7, #4
    count 0
    count 1
    count 2
    count 3
    adds r7, r7, #4
6:  cmp r7, r9
    bne 4b
    b 8f
7:  count 0
    adds r7, r7, #1
8:  cmp r7, r3
    bne 7b

.Lcounted_all:
    movs r4, #0                             /* the next place */
    strh r4, [r0]
    adds r2, r2, r0
1:  subs r2, r2, #8                         /* four at a time, for most intensities have no pixel */
    ldr r5, [r2]
    ldr r6, [r2, #4]
    orrs r5, r6
    beq 2f
    ldrh r5, [r2, #6]
    strh r4, [r2, #6]
    adds r4, r4, r5
    ldrh r5, [r2, #4]
    strh r4, [r2, #4]
    adds r4, r4, r5
    ldrh r5, [r2, #2]
    strh r4, [r2, #2]
    adds r4, r4, r5
    ldrh r5, [r2]
    strh r4, [r2]
    adds r4, r4, r5
    b 3f
2:  lsls r5, r4, #16
    orrs r5, r4
    str r5, [r2]
    str r5, [r2, #4]
3:  cmp r2, r0
    bne 1b
    strh r4, [r0]
    push {r4}

    mov r7, r8
    b 3f
2:  mov r4, r8
    subs r4, r7, r4
    put 0
    adds r7, r7, #1
3:  cmp r7, r3
    beq 9f
    lsls r4, r7, #30
    bne 2b
    b 6f
4:  ldr r4, [r7]
    cmp r4, #0
    beq 5f
    put_four 0
5:  ldr r4, [r7, #4]
    cmp r4, #0
    beq 1f
    put_four 4
1:  adds r7, r7, #8
6:  cmp r7, r9
    bne 4b
    b 8f
7:  mov r4, r8
    subs r4, r7, r4
    put 0
    adds r7, r7, #1
8:  cmp r7, r3
    bne 7b
9:  pop {r0, r4, r5}
    mov r8, r4
    mov r9, r5
    pop {r4-r7, pc}

#endif

    .size bs4nn_sort_pixels, . - bs4nn_sort_pixels

    .section .text.bs4nn_look_at_list, "ax", %progbits
    .balign 4
    .weak bs4nn_look_at_list
    .type bs4nn_look_at_list, %function
    .thumb_func
bs4nn_look_at_list:

#if __ARM_ARCH_ISA_THUMB == 2

    push {r0-r12, lr}                       /* stack: at, word, and two more */
    mov r5, r0

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 next spike, r1 plane 3, r2 column, r4 spikes left, r9 r11 r12 planes 0 1 2, r10 drop
 */
.Lword:
    str r1, [sp, #4]
    ldm r5, {r3-r11}                        /* spikes, n, ring, eighths, shift, records, stride, columns, height */
    mla r2, r1, r11, r10
    mla r1, r1, r9, r8
    ldm r1!, {r5, r8, r9, r11, r12}         /* alive, next and seen, planes */
    lsr r8, r8, #16
    add r0, r3, r8, lsl #1
    sub r4, r4, r8
    add r7, r7, r8
    sub r10, r6, r7, lsr #4
    subs r4, r4, #8
    blo .Lrest

.Leight:
    rows lr, r5
    rows r6, r7
    add_pairs r9, lr, r5, r6, r7
    rows r8, r3
    rows r6, r7
    add_pairs r9, r8, r3, r6, r7
    add_pairs r11, r5, lr, r3, r8
    add_pair r12, lr, r5
    subs r4, r4, #8
    blo .Lrest_of_more
    ldm r1, {r3, r5, r6, r7}                /* carry lr into plane 3 and up */
    eor r3, r3, lr
    bic lr, lr, r3
    eor r5, r5, lr
    bic lr, lr, r5
    eor r6, r6, lr
    bic lr, lr, r6
    eor r7, r7, lr
    bics lr, lr, r7
    stm r1, {r3, r5, r6, r7}
    beq .Leight
    ldr r5, [sp]
    ldr r5, [r5, #AT_MORE]
    mov r6, r1
6:  cmp r5, #0
    beq .Leight
    ldr r3, [r6, #16]
    eor r3, r3, lr
    bics lr, lr, r3
    str r3, [r6, #16]
    add r6, r6, #4
    sub r5, r5, #1
    bne 6b
    b .Leight

.Lrest:
    mov lr, #0
.Lrest_of_more:                             /* lr: carry into plane 3, from eight spikes */
    adds r4, r4, #8
    tbb [pc, r4]
.Ltable:
    .byte (.Lnone - .Ltable) / 2, (.Lone - .Ltable) / 2, (.Ltwo - .Ltable) / 2, (.Lthree - .Ltable) / 2
    .byte (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2
.Lnone:
    mov r8, #0
    b .Lcounted
.Lone:
    row r3
    add_bit r9, r3, r5
    add_bit r11, r5, r3
    add_bit r12, r3, r8
    b .Lcounted
.Ltwo:
    rows r3, r5
    add_pair r9, r3, r5
    add_bit r11, r3, r5
    add_bit r12, r5, r8
    b .Lcounted
.Lthree:
    rows r3, r5
    row r6
    add_pair r9, r3, r5
    add_bit r9, r6, r5
    eor r5, r5, r3
    add_pair r11, r3, r5
    add_bit r12, r3, r8
    b .Lcounted
.Lfour:
    rows r3, r8
    rows r6, r7
    add_pairs r9, r3, r8, r6, r7
    add_pair r11, r8, r3                    /* r8: carry into plane 2 */
    subs r4, r4, #4
    tbb [pc, r4]
.Lmore:
    .byte (.Lfour_and_none - .Lmore) / 2, (.Lfour_and_one - .Lmore) / 2
    .byte (.Lfour_and_two - .Lmore) / 2, (.Lfour_and_three - .Lmore) / 2
.Lfour_and_none:
    add_bit r12, r8, r3
    mov r8, r3
    b .Lcounted
.Lfour_and_one:
    row r3
    add_bit r9, r3, r5
    add_bit r11, r5, r7
    b .Lfour_and
.Lfour_and_two:
    rows r3, r5
    add_pair r9, r3, r5
    add_bit r11, r3, r7
    b .Lfour_and
.Lfour_and_three:
    rows r3, r5
    row r6
    add_pair r9, r3, r5
    add_bit r9, r6, r7
    eor r5, r7, r3
    add_pair r11, r3, r5
    mov r7, r3
.Lfour_and:                                 /* r8 and r7: carries into plane 2 */
    eor r7, r7, r8
    add_pair r12, r8, r7

.Lcounted:                                  /* lr and r8: carries into plane 3 */
    ldr r5, [sp]                            /* at, from now on */
    stmdb r1, {r9, r11, r12}
    cmp r10, #0
    bne .Ldown
    ldm r1, {r3, r6, r7, r10}
    eor r8, r8, lr
    add_pair r3, lr, r8
    eor r6, r6, lr
    bic lr, lr, r6
    eor r7, r7, lr
    bic lr, lr, r7
    eor r10, r10, lr
    stm r1, {r3, r6, r7, r10}
    ldr r6, [r5, #AT_MORE]
    cbz r6, .Lsigned
    bic lr, lr, r10
    add r3, r1, #16
4:  ldr r10, [r3]
    eor r10, r10, lr
    bic lr, lr, r10
    str r10, [r3], #4
    subs r6, r6, #1
    bne 4b

/* r10: the sign. r4: alive lanes, r3: those of them from 0 on, r6: the level. */
.Lsigned:
    ldr r4, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    ldrd r6, r7, [r5, #AT_LEVEL]            /* and past */
    bics r3, r4, r10
    beq .Lminus
    cmp r7, #0
    bne .Lfire_past

/* Of the lanes r3 find those that lack least to level r6, and how much. */
.Lnear:
    ands r7, r3, r12
    beq 5f
    mov r3, r7
    sub r6, r6, #4
5:  ands r7, r3, r11
    beq 6f
    mov r3, r7
    sub r6, r6, #2
6:  ands r7, r3, r9
    beq .Lgap
    mov r3, r7
    sub r6, r6, #1
.Lgap:
    ldrd r8, r7, [r5, #AT_SOONER]           /* and the end */
    rsbs r6, r8, r6, lsl #1
    ble .Lfire

/* r6: spikes until the word is due. If all lanes of r3 meet a -1 before, it is two more; r7: the end. */
.Lpeek:
    add r8, r0, r6, lsl #1
    cmp r8, r7
    it lo
    movlo r7, r8
7:  cmp r0, r7
    beq .Lput
    ldrh r8, [r0], #2
    ldr r8, [r2, r8, lsl #2]
    ands r3, r3, r8
    bne 7b
    adds r6, r6, #2

/* Put the word down. */
.Lput:
    ldrd r7, r8, [r5, #AT_N]
    ldr r4, [sp, #4]
    add r0, r6, r7
    and r0, r0, #RING_SPIKES - 1
    ldrh r6, [r8, r0, lsl #1]
    strh r4, [r8, r0, lsl #1]
    orr r6, r6, r7, lsl #16
    ldrsh r3, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
    str r6, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
.Lnext:
    movs r1, r3                             /* N: no word */
    bpl .Lword
    add sp, sp, #16
    pop {r4-r12, pc}

.Lminus:                                    /* nobody from 0 on: those from -8 to -1 have all planes set */
    ldm r1, {r3, r7, r8, lr}
    and r3, r3, r4
    and r3, r3, r7
    and r3, r3, r8
    and r3, r3, lr
    ldr r7, [r5, #AT_MORE]
    cbz r7, 8f
    add r8, r1, #16
9:  ldr lr, [r8], #4
    and r3, r3, lr
    subs r7, r7, #1
    bne 9b
8:  adds r6, r6, #8
    cmp r3, #0
    bne .Lnear
    mov r3, r4                              /* all are far off */
    b .Lgap

.Ldown:                                     /* the level has gone up by r10 eights: lr + r8 - 1, after the others */
    subs r10, r10, #1
    bne .Ldown_more
    ldm r1, {r3, r6, r7, r10}
    eor r8, r8, lr
    mvn r8, r8                              /* what changes: up where lr is set, down elsewhere */
    eor r3, r3, r8
    eor r4, r3, lr
    and r8, r8, r4
    eor r6, r6, r8
    eor r4, r6, lr
    and r8, r8, r4
    eor r7, r7, r8
    eor r4, r7, lr
    and r8, r8, r4
    eor r10, r10, r8
    stm r1, {r3, r6, r7, r10}
    ldr r6, [r5, #AT_MORE]
    cmp r6, #0
    beq .Lsigned
    add r3, r1, #16
9:  eor r4, r10, lr
    and r8, r8, r4
    ldr r10, [r3]
    eor r10, r10, r8
    str r10, [r3], #4
    subs r6, r6, #1
    bne 9b
    b .Lsigned

.Ldown_more:
    subs r10, r10, #1
    beq .Ldown_two
7:  mov r3, r1                              /* r10 eights off in all lanes */
    mov r4, #-1
    ldr r6, [r5, #AT_MORE]
    add r6, r6, #4
8:  ldr r7, [r3]
    eor r7, r7, r4
    str r7, [r3], #4
    and r4, r4, r7
    subs r6, r6, #1
    bne 8b
    subs r10, r10, #1
    bne 7b
.Ldown_two:                                 /* two off: lr and r8 become two borrows, then one */
    ldm r1, {r3, r6, r7, r10}
    mvn lr, lr
    mvn r8, r8
    eor r4, lr, r8
    and lr, lr, r8
    bic r8, r4, r3
    orr lr, lr, r8
    eor r3, r3, r4
    eor r6, r6, lr
    and lr, lr, r6
    eor r7, r7, lr
    and lr, lr, r7
    eor r10, r10, lr
    stm r1, {r3, r6, r7, r10}
    ldr r6, [r5, #AT_MORE]
    cmp r6, #0
    beq .Lsigned
    add r3, r1, #16
9:  and lr, lr, r10
    ldr r10, [r3]
    eor r10, r10, lr
    str r10, [r3], #4
    subs r6, r6, #1
    bne 9b
    b .Lsigned

/* Some lanes may have reached the level. r3 holds those with the largest counter, which lack (r6 + r8) / 2. */
.Lfire:
    ldr r7, [r5, #AT_DIRECT]
    cmp r7, #0
    beq .Lfire_in_c
    adds r7, r6, r8
    beq .Lfired
    mov lr, #0
    b .Lcompare

/* Some lanes from 0 on may have gone past 7: lr shall have them. */
.Lfire_past:
    ldr r7, [r5, #AT_DIRECT]
    cmp r7, #0
    beq .Lfire_in_c
    ldm r1, {r3, r7, lr}
    orr lr, lr, r3
    orr lr, lr, r7
    ldr r7, [r5, #AT_MORE]
    cbz r7, .Lcompare
    add r8, r1, #12
1:  ldr r3, [r8], #4
    orr lr, lr, r3
    subs r7, r7, #1
    bne 1b

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
.Lcompare:
    ldr r6, [r5, #AT_LEVEL]
    bic r3, r4, r10
    tst r6, #1
    ite ne
    movne r7, r9
    moveq r7, #-1
    lsls r6, r6, #30
    ite mi
    andmi r7, r7, r11
    orrpl r7, r7, r11
    ite cs
    andcs r7, r7, r12
    orrcc r7, r7, r12
    orr r7, r7, lr
    ands r3, r3, r7
    beq .Lleft

/* The lanes r3 fire: their rows go into the batch of the output layer. */
.Lfired:
    strd r0, r2, [sp, #8]
    ldrd r6, r7, [r5, #AT_ROWS]             /* and run */
    ldr r8, [sp, #4]
    ldrd r2, lr, [r7]                       /* batch, slot */
    str lr, [r7, #RUN_ON_THEIR_WAY]         /* any number but 0 */
    bic r4, r4, r3
    str r4, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    add r6, r6, r8, lsl #6
    add r2, r2, #BATCH_BYTES
    mov r8, #0x80000000
    rbit r3, r3
2:  clz r7, r3
    lsr r0, r8, r7
    ldrh r7, [r6, r7, lsl #1]
    str r7, [lr], #4
    cmp lr, r2
    beq .Lbatch
3:  bics r3, r3, r0
    bne 2b
    ldr r7, [r5, #AT_RUN]
    ldrd r0, r2, [sp, #8]
    str lr, [r7, #RUN_SLOT]
    cmp r4, #0
    beq .Lnobody

/* Go on with the lanes that are left. */
.Lleft:
    ldr r6, [r5, #AT_LEVEL]
    bics r3, r4, r10
    bne .Lnear
    b .Lminus

.Lnobody:                                   /* never put down again */
    ldrsh r3, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
    b .Lnext

/* Count a full batch, which ends at lr; then it starts anew. */
.Lbatch:
    push {r0, r1, r3-r10}
    ldr r0, [r5, #AT_RUN]
    ldrd r1, r3, [r0, #RUN_COUNTED]
    add r1, r1, #8
    str r1, [r0, #RUN_COUNTED]
    ldm r3, {r4, r5, r6}
    ldmdb lr!, {r0, r1, r7, r8}
    eor r1, r1, r0
    eor r8, r8, r7
    add_pairs r4, r0, r1, r7, r8
    ldmdb lr!, {r7, r8, r9, r10}
    eor r8, r8, r7
    eor r10, r10, r9
    add_pairs r4, r7, r8, r9, r10
    add_pairs r5, r1, r0, r8, r7
    add_pair r6, r0, r1
    stm r3!, {r4, r5, r6}
    cmp r0, #0
    beq 5f
4:  ldr r1, [r3]
    eor r1, r1, r0
    str r1, [r3], #4
    bics r0, r0, r1
    bne 4b
5:  pop {r0, r1, r3-r10}
    b 3b

/* Firing of other kinds is left to fire_word() of bs4nn.c. */
.Lfire_in_c:
    bic r3, r4, r10
    str r3, [r5, #AT_POSITIVE]
    mov r4, r1
    mov r6, r2
    mov r7, r0
    mov r0, r5
    subs r1, r1, #RECORD_PLANES + 12
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov r1, r4
    mov r2, r6
    movs r6, r0
    mov r0, r7
    beq .Lnobody
    ldr r7, [r5, #AT_END]
    ldr r3, [r5, #AT_NEAREST]
    b .Lpeek

#else /* Thumb-1 */

    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0-r2, r4-r7}                     /* stack: at, word, and one more */
    movs r7, r0

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 next spike, r1 column, r2 r8 r9 planes 0 1 2, r10 end of the spikes, r11 the same less 8, r12 record, lr drop
 */
.Lword:
    str r1, [sp, #4]
    movs r0, r7
    ldm r0!, {r2-r6}                        /* spikes, n, ring, eighths, shift */
    ldm r0!, {r4, r7}                       /* records, stride */
    muls r7, r1, r7
    adds r4, r4, r7
    mov r12, r4
    ldm r0, {r0, r7}                        /* columns, height */
    muls r1, r7, r1
    adds r1, r1, r0
    ldr r7, [r4, #RECORD_NEXT]
    lsrs r7, r7, #16                        /* seen */
    adds r6, r6, r7
    lsrs r6, r6, #4
    subs r5, r5, r6
    mov lr, r5
    lsls r7, r7, #1
    adds r0, r2, r7
    lsls r3, r3, #1
    adds r2, r2, r3
    mov r10, r2
    subs r2, r2, #16
    mov r11, r2
    ldr r2, [r4, #RECORD_PLANES + 4]
    mov r8, r2
    ldr r2, [r4, #RECORD_PLANES + 8]
    mov r9, r2
    ldr r2, [r4, #RECORD_PLANES]
    cmp r0, r11
    bhi .Lrest

.Leight:
    add_rows 0, r3, r4
    add_rows 4, r4, r5
    eors r4, r3
    add_rows 8, r5, r6
    add_rows 12, r6, r7
    eors r6, r5
    mov r7, r8
    add_pair r7, r3, r4
    add_pair r7, r5, r6
    mov r8, r7
    mov r7, r9
    eors r5, r3
    add_pair r7, r3, r5
    mov r9, r7
    adds r0, r0, #16
    cmp r0, r10
    beq .Lexact
    cmp r0, r11
    bhi .Lrest_of_more
    mov r4, r12                             /* carry r3 into plane 3 and up */
    adds r4, r4, #RECORD_PLANES + 12
    ldm r4!, {r5, r6, r7}
    eors r5, r3
    bics r3, r5
    eors r6, r3
    bics r3, r6
    eors r7, r3
    bics r3, r7
    subs r4, r4, #12
    stm r4!, {r5, r6, r7}
    ldr r5, [r4]
    eors r5, r3
    stm r4!, {r5}
    bics r3, r5
    beq .Leight
    ldr r6, [sp]
    ldr r6, [r6, #AT_MORE]
1:  cmp r6, #0
    beq .Leight
    ldr r5, [r4]
    eors r5, r3
    stm r4!, {r5}
    bics r3, r5
    subs r6, r6, #1
    b 1b

.Lexact:
    movs r6, r3
    movs r3, #0
    mov r11, r3
    b .Lcounted

.Lrest:
    movs r3, #0
.Lrest_of_more:                             /* r3: carry into plane 3, from eight spikes */
    mov r11, r3
    mov r7, r10
    subs r7, r7, r0
    add pc, r7                              /* two bytes a spike and a branch */
    nop
    b .Lnone
    b .Lone
    b .Ltwo
    b .Lthree
    b .Lfour
    b .Lfour
    b .Lfour
.Lfour:
    add_rows 0, r3, r4
    add_rows 4, r4, r5
    eors r4, r3
    mov r5, r8
    add_pair r5, r3, r4
    mov r8, r5
    movs r6, r3                             /* carry into plane 2 */
    adds r0, r0, #8
    subs r7, r7, #8
    add pc, r7
    nop
    b .Lfour_and_none
    b .Lfour_and_one
    b .Lfour_and_two
.Lfour_and_three:
    add_rows 0, r3, r4
    row r5, 4
    adds r0, r0, #6
    add_bit r2, r5, r4
    eors r4, r3
    mov r5, r8
    add_pair r5, r3, r4
    mov r8, r5
    movs r7, r3
.Lfour_and:                                 /* r6 and r7: carries into plane 2 */
    eors r7, r6
    mov r4, r9
    add_pair r4, r6, r7
    mov r9, r4
    b .Lcounted
.Lfour_and_none:
    mov r4, r9
    add_bit r4, r6, r3
    mov r9, r4
    movs r6, r3
    b .Lcounted
.Lfour_and_one:
    row r3, 0
    adds r0, r0, #2
    add_bit r2, r3, r4
    mov r5, r8
    add_bit r5, r4, r7
    mov r8, r5
    b .Lfour_and
.Lfour_and_two:
    add_rows 0, r3, r4
    adds r0, r0, #4
    mov r5, r8
    add_bit r5, r3, r7
    mov r8, r5
    b .Lfour_and
.Lnone:
    movs r6, #0
    b .Lcounted
.Lone:
    row r4, 0
    adds r0, r0, #2
    add_bit r2, r4, r3
    b .Lup
.Ltwo:
    add_rows 0, r3, r4
    adds r0, r0, #4
.Lup:                                       /* r3: carry into plane 1 */
    mov r5, r8
    add_bit r5, r3, r4
    mov r8, r5
    movs r3, r4
    b .Lup_more
.Lthree:
    add_rows 0, r3, r4
    row r5, 4
    adds r0, r0, #6
    add_bit r2, r5, r4
    eors r4, r3
    mov r5, r8
    add_pair r5, r3, r4
    mov r8, r5
.Lup_more:                                  /* r3: carry into plane 2 */
    mov r5, r9
    add_bit r5, r3, r6
    mov r9, r5

.Lcounted:                                  /* r11 and r6: carries into plane 3 */
    mov r3, r12
    adds r3, r3, #RECORD_PLANES
    mov r4, r8
    mov r5, r9
    stm r3!, {r2, r4, r5}
    mov r4, lr
    cmp r4, #0
    bne .Ldown
    mov r4, r11
    eors r6, r4
    ldr r5, [r3]
    add_pair r5, r4, r6
    str r5, [r3]
    ldr r5, [r3, #4]
    eors r5, r4
    str r5, [r3, #4]
    bics r4, r5
    ldr r5, [r3, #8]
    eors r5, r4
    str r5, [r3, #8]
    bics r4, r5
    ldr r5, [r3, #12]
    eors r5, r4
    str r5, [r3, #12]
    ldr r7, [sp]
    ldr r6, [r7, #AT_MORE]
    cmp r6, #0
    beq .Lsigned
    adds r3, r3, #16
4:  bics r4, r5
    ldr r5, [r3]
    eors r5, r4
    stm r3!, {r5}
    subs r6, r6, #1
    bne 4b

/* r7: at. r5: the sign. r6: alive lanes, r3: those of them from 0 on, r4: the level. */
.Lsigned:
    mov r10, r5
    mov r3, r12
    ldr r6, [r3, #RECORD_ALIVE]
    ldr r4, [r7, #AT_LEVEL]
    movs r3, r6
    bics r3, r5
    beq .Lminus
    ldr r5, [r7, #AT_PAST]
    cmp r5, #0
    bne .Lto_fire_past

/* Of the lanes r3 find those that lack least to level r4, and how much. */
.Lnear:
    mov r5, r9
    ands r5, r3
    beq 5f
    movs r3, r5
    subs r4, r4, #4
5:  mov r5, r8
    ands r5, r3
    beq 6f
    movs r3, r5
    subs r4, r4, #2
6:  movs r5, r2
    ands r5, r3
    beq .Lgap
    movs r3, r5
    subs r4, r4, #1
.Lgap:
    lsls r4, r4, #1
    ldr r5, [r7, #AT_SOONER]
    subs r4, r4, r5
    ble .Lto_fire

/* r4: spikes until the word is due. If all lanes of r3 meet a -1 before, it is two more. */
.Lpeek:
    lsls r5, r4, #1
    adds r5, r5, r0
    ldr r6, [r7, #AT_END]
    cmp r5, r6
    bls 7f
    movs r5, r6
7:  cmp r0, r5
    beq .Lput
8:  row r6, 0
    adds r0, r0, #2
    ands r3, r6
    beq .Llater
    cmp r0, r5
    bne 8b

/* Put the word down. */
.Lput:
    ldr r5, [r7, #AT_N]
    ldr r6, [r7, #AT_RING]
    ldr r0, [sp, #4]
    adds r4, r4, r5
    lsls r4, r4, #27                        /* modulo RING_SPIKES, in half-words */
    lsrs r4, r4, #26
    ldrh r2, [r6, r4]
    strh r0, [r6, r4]
    lsls r5, r5, #16
    orrs r2, r5
    mov r3, r12
    ldrh r1, [r3, #RECORD_NEXT]
    str r2, [r3, #RECORD_NEXT]
.Lnext:
    lsls r4, r1, #16                        /* N: no word */
    bmi 1f
    b .Lword
1:  pop {r0-r2, r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

.Llater:
    adds r4, r4, #2
    b .Lput

.Lminus:                                    /* nobody from 0 on: those from -8 to -1 have all planes set */
    mov r3, r12
    adds r3, r3, #RECORD_PLANES + 12
    ldm r3!, {r5}
    ands r6, r5
    ldm r3!, {r5}
    ands r6, r5
    ldm r3!, {r5}
    ands r6, r5
    ldm r3!, {r5}
    ands r6, r5
    ldr r5, [r7, #AT_MORE]
    cmp r5, #0
    beq 2f
    mov r11, r4
1:  ldm r3!, {r4}
    ands r6, r4
    subs r5, r5, #1
    bne 1b
    mov r4, r11
2:  adds r4, r4, #8
    movs r3, r6
    bne .Lnear
    mov r5, r12                             /* all are far off */
    ldr r3, [r5, #RECORD_ALIVE]
    b .Lgap

.Lto_fire:
    b .Lfire
.Lto_fire_past:
    b .Lfire_past

.Ldown:                                     /* the level has gone up by r4 eights: r11 + r6 - 1, after the others */
    subs r4, r4, #1
    bne .Ldown_more
1:  mov r4, r11
    eors r6, r4
    mvns r6, r6                             /* what changes: up where r4 is set, down elsewhere */
    ldr r5, [r3]
    eors r5, r6
    str r5, [r3]
    eors r5, r4
    ands r6, r5
    ldr r5, [r3, #4]
    eors r5, r6
    str r5, [r3, #4]
    eors r5, r4
    ands r6, r5
    ldr r5, [r3, #8]
    eors r5, r6
    str r5, [r3, #8]
    eors r5, r4
    ands r6, r5
    ldr r5, [r3, #12]
    eors r5, r6
    str r5, [r3, #12]
    ldr r7, [sp]
    ldr r7, [r7, #AT_MORE]
    cmp r7, #0
    beq 3f
    adds r3, r3, #16
    mov lr, r7
2:  movs r7, r5
    eors r7, r4
    ands r6, r7
    ldr r5, [r3]
    eors r5, r6
    stm r3!, {r5}
    mov r7, lr
    subs r7, r7, #1
    mov lr, r7
    bne 2b
3:  ldr r7, [sp]
    b .Lsigned

.Ldown_more:
    subs r4, r4, #1
    beq .Ldown_two
4:  mov lr, r4                              /* r4 eights off in all lanes */
    ldr r7, [sp]
    ldr r7, [r7, #AT_MORE]
    adds r7, r7, #4
    movs r4, #0
    mvns r4, r4
5:  ldr r5, [r3]
    eors r5, r4
    stm r3!, {r5}
    ands r4, r5
    subs r7, r7, #1
    bne 5b
    mov r3, r12
    adds r3, r3, #RECORD_PLANES + 12
    mov r4, lr
    subs r4, r4, #1
    bne 4b
.Ldown_two:                                 /* two off: r11 and r6 become two borrows, then one */
    mov r4, r11
    mvns r4, r4
    mvns r6, r6
    movs r7, r4
    eors r7, r6
    ands r4, r6
    ldr r5, [r3]
    movs r6, r7
    bics r6, r5
    orrs r4, r6
    eors r5, r7
    stm r3!, {r5}
    ldr r7, [sp]
    ldr r7, [r7, #AT_MORE]
    adds r7, r7, #3
    movs r6, r4
6:  ldr r5, [r3]
    eors r5, r6
    stm r3!, {r5}
    ands r6, r5
    subs r7, r7, #1
    bne 6b
    ldr r7, [sp]
    b .Lsigned

/* Some lanes may have reached the level. r3 holds those with the largest counter, which lack (r4 + r5) / 2. */
.Lfire:
    adds r4, r4, r5
    ldr r5, [r7, #AT_DIRECT]
    cmp r5, #0
    beq .Lto_c
    cmp r4, #0
    beq .Lfired
    movs r4, #0
    b .Lcompare
.Lto_c:
    b .Lfire_in_c

/* Some lanes from 0 on may have gone past 7: r4 shall have them. */
.Lfire_past:
    ldr r5, [r7, #AT_DIRECT]
    cmp r5, #0
    beq .Lto_c
    mov r3, r12
    adds r3, r3, #RECORD_PLANES + 12
    ldm r3!, {r4}
    ldm r3!, {r5}
    orrs r4, r5
    ldm r3!, {r5}
    orrs r4, r5
    ldr r5, [r7, #AT_MORE]
    cmp r5, #0
    beq .Lcompare
1:  ldm r3!, {r6}
    orrs r4, r6
    subs r5, r5, #1
    bne 1b
    mov r6, r12
    ldr r6, [r6, #RECORD_ALIVE]

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
.Lcompare:
    ldr r3, [r7, #AT_LEVEL]
    movs r5, r2
    lsrs r3, r3, #1
    bcs 1f
    movs r5, #0
    mvns r5, r5
1:  mov r2, r8
    lsrs r3, r3, #1
    bcs 2f
    orrs r5, r2
    b 3f
2:  ands r5, r2
3:  mov r2, r9
    lsrs r3, r3, #1
    bcs 4f
    orrs r5, r2
    b 5f
4:  ands r5, r2
5:  orrs r5, r4
    mov r4, r12
    ldr r2, [r4, #RECORD_PLANES]
    movs r3, r6
    mov r4, r10
    bics r3, r4
    ands r3, r5
    beq .Lleft

/* The lanes r3 fire: their rows go into the batch of the output layer. */
.Lfired:
    bics r6, r3
    mov r4, r12
    str r6, [r4, #RECORD_ALIVE]
    mov r11, r0
    mov lr, r1
    ldr r5, [r7, #AT_ROWS]
    ldr r0, [sp, #4]
    lsls r0, r0, #6
    adds r5, r5, r0
    ldr r7, [r7, #AT_RUN]
    ldr r1, [r7, #RUN_SLOT]
    str r1, [r7, #RUN_ON_THEIR_WAY]         /* any number but 0 */
    ldr r4, [r7, #RUN_BATCH]
    adds r4, r4, #BATCH_BYTES
    ldr r2, .Ldebruijn
    ldr r6, .Lplaces
2:  rsbs r0, r3, #0                         /* the lowest bit, alone, and its place */
    ands r0, r3
    bics r3, r0
    muls r0, r2, r0
    lsrs r0, r0, #27
    ldrb r0, [r6, r0]
    ldrh r0, [r5, r0]
    stm r1!, {r0}
    cmp r1, r4
    beq .Lbatch
3:  cmp r3, #0
    bne 2b
    ldr r7, [sp]
    ldr r4, [r7, #AT_RUN]
    str r1, [r4, #RUN_SLOT]
    mov r0, r11
    mov r1, lr
    mov r4, r12
    ldr r2, [r4, #RECORD_PLANES]
    ldr r6, [r4, #RECORD_ALIVE]
    cmp r6, #0
    beq .Lnobody

/* Go on with the lanes that are left. */
.Lleft:
    ldr r4, [r7, #AT_LEVEL]
    movs r3, r6
    mov r5, r10
    bics r3, r5
    beq 1f
    b .Lnear
1:  b .Lminus

.Lnobody:                                   /* never put down again */
    mov r3, r12
    ldrh r1, [r3, #RECORD_NEXT]
    b .Lnext

/* Count a full batch, which ends at r4; then it starts anew. */
.Lbatch:
    push {r2-r6}
    movs r7, r4
    subs r7, r7, #BATCH_BYTES
    ldr r0, [sp, #20]
    ldr r0, [r0, #AT_RUN]
    ldr r1, [r0, #RUN_COUNTED]
    adds r1, r1, #8
    str r1, [r0, #RUN_COUNTED]
    ldr r0, [r0, #RUN_PLANES]
    ldr r1, [r0]
    ldm r7!, {r2, r3}
    eors r3, r2
    add_pair r1, r2, r3
    ldm r7!, {r3, r4}
    eors r4, r3
    add_pair r1, r3, r4
    eors r3, r2
    ldm r7!, {r4, r5}
    eors r5, r4
    add_pair r1, r4, r5
    ldm r7!, {r5, r6}
    eors r6, r5
    add_pair r1, r5, r6
    eors r5, r4
    stm r0!, {r1}
    ldr r1, [r0]
    add_pair r1, r2, r3
    add_pair r1, r4, r5
    stm r0!, {r1}
    ldr r1, [r0]
    eors r4, r2
    add_pair r1, r2, r4
    stm r0!, {r1}
    cmp r2, #0
    beq 5f
4:  ldr r1, [r0]
    eors r1, r2
    stm r0!, {r1}
    bics r2, r1
    bne 4b
5:  pop {r2-r6}
    movs r1, r4
    subs r1, r1, #BATCH_BYTES
    b 3b

/* Firing of other kinds is left to fire_word() of bs4nn.c. */
.Lfire_in_c:
    mov r3, r12
    ldr r3, [r3, #RECORD_ALIVE]
    mov r4, r10
    bics r3, r4
    str r3, [r7, #AT_POSITIVE]
    movs r4, r0
    movs r5, r1
    mov r6, r12
    movs r0, r7
    mov r1, r12
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov r12, r6
    movs r1, r5
    movs r6, r0
    movs r0, r4
    movs r4, r6
    beq .Lnobody
    ldr r3, [r7, #AT_NEAREST]
    b .Lpeek

    .balign 4
.Ldebruijn:
    .word 0x077CB531
.Lplaces:
    .word .Lplace_of_bit

/* Of a bit, alone, times .Ldebruijn the top five bits tell its number; here, times the bytes of a half-word. */
    .section .rodata.bs4nn_place_of_bit, "a", %progbits
.Lplace_of_bit:
    .byte 0, 2, 56, 4, 58, 28, 48, 6, 60, 44, 40, 30, 50, 34, 8, 16
    .byte 62, 54, 26, 46, 42, 38, 32, 14, 52, 24, 36, 12, 22, 10, 20, 18
    .section .text.bs4nn_look_at_list, "ax", %progbits

#endif

    .size bs4nn_look_at_list, . - bs4nn_look_at_list
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
