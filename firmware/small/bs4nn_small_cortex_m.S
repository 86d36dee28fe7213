/*
 * bs4nn_small_cortex_m.S - the inner loops of bs4nn_small.c for Cortex-M, in assembly.
 *
 *     uint32_t bs4nn_small_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
 *     int32_t bs4nn_small_look_at_list(const layer_t *at, uint32_t w);
 *
 * do what sort_pixels() and look_at_list() of bs4nn_small.c do. One version for Thumb-2 (M3, M4, M7, M33), one for
 * Thumb-1 (M0, M0+, M23).
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY

#include "bs4nn_adders.h"
#include "bs4nn_small_cortex_m.h"

    .syntax unified
    .thumb
    .section .text.bs4nn_small_sort_pixels, "ax", %progbits
    .balign 4
    .weak bs4nn_small_sort_pixels
    .type bs4nn_small_sort_pixels, %function
    .thumb_func
bs4nn_small_sort_pixels:

#if __ARM_ARCH_ISA_THUMB == 2

/*
 * r0 places, r1 spikes, r2 next pixel, r9 end of the pixels, r10 end of those taken sixteen at a time, r11 what is done
 * with up to four of them, whose word is r4 and whose first one is at r3
 */
    push {r2, r4-r11, lr}                   /* stack: pixels */
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    mov r8, r0
1:  stm r8!, {r4-r7}
    cmp r8, r1
    blo 1b
    add r9, r2, r3
    mov r10, r2
    lsls r4, r2, #30                        /* pixels that are not aligned are taken one at a time */
    itt eq
    biceq r3, r3, #15
    addeq r10, r2, r3
    adr r11, .Lcount + 1
    bl .Lscan
    movs r4, #0                             /* the next place */
    strh r4, [r0]
    add r2, r0, #512
1:  ldr r5, [r2, #-4]!
    lsrs r6, r5, #16
    adds r6, r6, r4
    orr r3, r6, r4, lsl #16
    uxth r5, r5
    adds r4, r6, r5
    str r3, [r2]
    cmp r2, r0
    bne 1b
    ldr r2, [sp]
    adr r11, .Lplace + 1
    bl .Lscan
    ldrh r0, [r0, #2]
    pop {r2, r4-r11, pc}

/* Do it with all pixels but the black ones of four. */
.Lscan:
    push {lr}                               /* stack: the way back, pixels */
    b 5f
1:  ldm r2!, {r4-r7}
    cbz r4, 2f
    sub r3, r2, #16
    blx r11
2:  cbz r5, 3f
    mov r4, r5
    sub r3, r2, #12
    blx r11
3:  cbz r6, 4f
    mov r4, r6
    sub r3, r2, #8
    blx r11
4:  cbz r7, 5f
    mov r4, r7
    subs r3, r2, #4
    blx r11
5:  cmp r2, r10
    bne 1b
6:  cmp r2, r9
    beq 7f
    mov r3, r2
    ldrb r4, [r2], #1
    blx r11
    b 6b
7:  pop {pc}

/* Count the pixels of a word by their intensities. */
    .thumb_func
.Lcount:
    uxtb r3, r4
    ldrh r8, [r0, r3, lsl #1]
    add r8, r8, #1
    strh r8, [r0, r3, lsl #1]
    lsrs r4, r4, #8
    bne .Lcount
    bx lr

/* Put the pixels of a word to the others of their intensities. */
    .thumb_func
.Lplace:
    ldr r8, [sp, #4]
    sub r3, r3, r8
1:  uxtb r12, r4
    ldrh r8, [r0, r12, lsl #1]
    strh r3, [r1, r8, lsl #1]
    adds r3, r3, #1
    add r8, r8, #1
    strh r8, [r0, r12, lsl #1]
    lsrs r4, r4, #8
    bne 1b
    bx lr

#else /* Thumb-1 */

/*
 * r0 places, r1 spikes, r7 next pixel, r8 what is done with up to four of them, whose word is r4 and whose first one is
 * before r7, r9 pixels, r10 their end, r11 end of those taken eight at a time
 */
    mov r12, r8
    push {r4-r7, lr}
    mov r4, r9
    mov r5, r10
    mov r6, r11
    mov r7, r12
    push {r4-r7}
    mov r9, r2
    movs r7, r2
    adds r4, r2, r3
    mov r10, r4
    lsls r4, r2, #30                        /* pixels that are not aligned are taken one at a time */
    beq 1f
    movs r3, #0
1:  lsrs r3, r3, #3
    lsls r3, r3, #3
    adds r3, r3, r2
    mov r11, r3
    movs r2, r0
    movs r3, #0
    movs r4, #0
    movs r5, #0
    movs r6, #0
1:  stm r2!, {r3-r6}
    cmp r2, r1
    blo 1b
    adr r2, .Lcount
    bl .Lscan
    movs r4, #0                             /* the next place */
    strh r4, [r0]
    movs r2, #128
    lsls r2, r2, #2
    adds r2, r2, r0
1:  subs r2, r2, #4
    ldrh r5, [r2, #2]
    strh r4, [r2, #2]
    adds r4, r4, r5
    ldrh r5, [r2]
    strh r4, [r2]
    adds r4, r4, r5
    cmp r2, r0
    bne 1b
    mov r7, r9
    adr r2, .Lplace
    bl .Lscan
    ldrh r0, [r0, #2]
    pop {r4-r7}
    mov r9, r4
    mov r10, r5
    mov r11, r6
    mov r8, r7
    pop {r4-r7, pc}

/* Do what is at r2 with all pixels but the black ones of four. */
.Lscan:
    push {lr}
    adds r2, r2, #1                         /* Thumb */
    mov r8, r2
    b 3f
1:  ldm r7!, {r4, r5}
    cmp r4, #0
    beq 2f
    subs r3, r7, #7
    subs r3, r3, #1
    blx r8
2:  movs r4, r5
    beq 3f
    subs r3, r7, #4
    blx r8
3:  cmp r7, r11
    bne 1b
4:  cmp r7, r10
    beq 5f
    ldrb r4, [r7]
    movs r3, r7
    adds r7, r7, #1
    blx r8
    b 4b
5:  pop {pc}

/* Count the pixels of a word by their intensities. */
    .balign 4
.Lcount:
    uxtb r6, r4
    lsls r6, r6, #1
    ldrh r2, [r0, r6]
    adds r2, r2, #1
    strh r2, [r0, r6]
    lsrs r4, r4, #8
    bne .Lcount
    bx lr

/* Put the pixels of a word to the others of their intensities. */
    .balign 4
.Lplace:
    mov r2, r9
    subs r3, r3, r2
1:  uxtb r6, r4
    lsls r6, r6, #1
    ldrh r2, [r0, r6]
    adds r2, r2, #1
    strh r2, [r0, r6]
    lsls r2, r2, #1
    subs r2, r2, #2
    strh r3, [r1, r2]
    adds r3, r3, #1
    lsrs r4, r4, #8
    bne 1b
    bx lr

#endif

    .size bs4nn_small_sort_pixels, . - bs4nn_small_sort_pixels

    .section .text.bs4nn_small_look_at_list, "ax", %progbits
    .balign 4
    .weak bs4nn_small_look_at_list
    .type bs4nn_small_look_at_list, %function
    .thumb_func

#if __ARM_ARCH_ISA_THUMB == 2

/* Carry lr into a plane. */
.macro carry plane
    eor \plane, \plane, lr
    bic lr, lr, \plane
.endm

/* Of the lanes r4 keep those that have a bit of the plane set, if there are any; each lacks so much less then. */
.macro highest plane, worth
    ands r8, r4, \plane
    beq 1f
    mov r4, r8
    sub lr, lr, #\worth
1:
.endm

/* Add the rows of four spikes to planes 0 and 1; `carry` becomes the carry. */
.macro four carry
    rows r3, \carry
    rows r6, r7
    add_pairs r9, r3, \carry, r6, r7
    add_pair r11, \carry, r3
.endm

    .thumb_func
bs4nn_small_look_at_list:
    push {r0-r12, lr}                       /* stack: at, word, and two more */
    mov r5, r0

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 next spike, r1 plane 3, r2 column, r4 spikes left, r9 r11 r12 planes 0 1 2
 */
.Lword:
    str r1, [sp, #4]
    ldm r5, {r3, r4, r6, r7, r8, r10, r11}  /* spikes, n, ring, records, stride, columns, height */
    mla r2, r1, r11, r10
    mla r1, r1, r8, r7
    ldm r1!, {r5, r8, r9, r11, r12}         /* alive, next and seen, planes */
    lsr r8, r8, #16
    add r0, r3, r8, lsl #1
    sub r4, r4, r8
    mov lr, #0
    cmp r4, #4
    blo .Lrest

/* lr: carry into plane 3 of the last eight spikes. */
.Lfours:
    four r5
    subs r4, r4, #8
    blo .Lone_four
    four lr
    eor r5, r5, lr
    add_pair r12, lr, r5
    cmp r4, #8
    blo .Lfew
    ldm r1, {r3, r5, r6}
    carry r3
    carry r5
    eor r6, r6, lr
    bics lr, lr, r6
    stm r1, {r3, r5, r6}
    beq .Lfours
    add r6, r1, #12
1:  ldr r3, [r6]
    eor r3, r3, lr
    str r3, [r6], #4
    bics lr, lr, r3
    bne 1b
    b .Lfours
.Lone_four:
    add_bit r12, r5, r8
    b 1f
.Lfew:
    cmp r4, #4
    bhs .Lfours

/* The last spikes, up to three. lr, r8: carries into plane 3. */
.Lrest:
    mov r8, #0
1:  lsls r3, r4, #31
    bcc 2f
    rows r3, r5
    add_pair r9, r3, r5
    add_bit r11, r3, r5
    add_bit r12, r5, r3
    orr r8, r8, r3
2:  bpl 3f
    row r3
    add_bit r9, r3, r5
    add_bit r11, r5, r3
    add_bit r12, r3, r5
    orr r8, r8, r5
3:  ldr r5, [sp]                            /* at, from now on */
    stmdb r1, {r9, r11, r12}
    ldm r1, {r3, r6, r7}
    eor r8, r8, lr
    add_pair r3, lr, r8
    carry r6
    eor r7, r7, lr
    bics lr, lr, r7
    stm r1, {r3, r6, r7}
    beq .Lhighest
    add r4, r1, #12
4:  ldr r8, [r4]
    eor r8, r8, lr
    str r8, [r4], #4
    bics lr, lr, r8
    bne 4b

/* Find the lanes r4 that lack least, and how much, lr. */
.Lhighest:
    ldr r4, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    ldrd lr, r8, [r5, #AT_GOAL]             /* and more */
    cmp r8, #0
    bne .Lmore
.Lsix:
    highest r7, 64
    highest r6, 32
    highest r3, 16
    highest r12, 8
    highest r11, 4
    highest r9, 2
    ldrd r7, r8, [r5, #AT_ODD]              /* and the end */
    cbnz r7, .Lodd
.Lgap:
    cmp lr, #0
    ble .Lfire

/* lr: spikes until the word is due. If all lanes of r4 meet a -1 before, it is two more; r8: the end. */
.Lpeek:
    add r7, r0, lr, lsl #1
    cmp r7, r8
    it hi
    movhi r7, r8
1:  cmp r0, r7
    bhs .Lput
    ldrh r8, [r0], #2
    ldr r8, [r2, r8, lsl #2]
    ands r4, r4, r8
    bne 1b
    add lr, lr, #2

/* Put the word down. */
.Lput:
    ldrd r7, r8, [r5, #AT_N]
    ldr r4, [sp, #4]
    add r0, lr, r7
    and r0, r0, #RING_SPIKES - 1
    ldrh r6, [r8, r0, lsl #1]
    strh r4, [r8, r0, lsl #1]
    orr r6, r6, r7, lsl #16
    ldrsh r3, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
    str r6, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
.Lnext:
    movs r1, r3                             /* N: no word */
    bpl .Lword
    mov r0, lr
    add sp, sp, #16
    pop {r4-r12, pc}

.Lodd:
    ldr r3, [sp, #4]
    ldr r6, [r5, #AT_ODD_STRIDE]
    mul r3, r3, r6
    ldr r7, [r7, r3]
    ands r7, r7, r4
    beq .Lgap
    mov r4, r7
    sub lr, lr, #1
    b .Lgap

.Lmore:                                     /* planes beyond the sixth */
    strd r0, r2, [sp, #8]
    mov r2, #64
    lsl r2, r2, r8
    add r0, r1, #8
1:  ldr r5, [r0, r8, lsl #2]
    ands r5, r5, r4
    beq 2f
    mov r4, r5
    sub lr, lr, r2
2:  lsr r2, r2, #1
    subs r8, r8, #1
    bne 1b
    ldr r5, [sp]
    ldrd r0, r2, [sp, #8]
    b .Lsix

/* The lanes r4 fire. */
.Lfire:
    ldr r3, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    ldrd r6, r7, [r5, #AT_ROWS]             /* and run */
    bics r3, r3, r4
    str r3, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    strd r0, r2, [sp, #8]
    ldr r8, [sp, #4]
    cmp r6, #0
    beq .Lfire_in_c
    add r6, r6, r8, lsl #6
    ldrd r2, r8, [r7]                       /* planes of the output layer, and spikes sent to it */
    ldm r2, {r3, r10, lr}
1:  rbit r7, r4
    clz r7, r7
    subs r0, r4, #1
    ands r4, r4, r0
    ldrh r7, [r6, r7, lsl #1]
    add r8, r8, #1
    add_bit r3, r7, r0
    add_bit r10, r0, r7
    add_bit lr, r7, r0
    cbnz r0, .Lcarry
2:  cmp r4, #0
    bne 1b
    stm r2, {r3, r10, lr}
    ldr r7, [r5, #AT_RUN]
    str r8, [r7, #RUN_SENT]
.Lfired:
    ldrd r0, r2, [sp, #8]
    ldr r3, [r1, #RECORD_ALIVE - RECORD_PLANES - 12]
    cbz r3, .Lnobody
    ldm r1, {r3, r6, r7}
    b .Lhighest

.Lnobody:                                   /* never put down again */
    mov lr, r3
    ldrsh r3, [r1, #RECORD_NEXT - RECORD_PLANES - 12]
    b .Lnext

.Lcarry:                                    /* r0 into plane 3 and up */
    push {r2}
1:  ldr r7, [r2, #12]
    eor r7, r7, r0
    str r7, [r2, #12]
    adds r2, r2, #4
    bics r0, r0, r7
    bne 1b
    pop {r2}
    b 2b

.Lfire_in_c:
    mov r6, r1
    mov r0, r5
    mov r1, r8
    mov r2, r4
    bl bs4nn_small_fire
    mov r1, r6
    ldmdb r1, {r9, r11, r12}
    b .Lfired

#else /* Thumb-1 */

/* Add the rows of four spikes to planes 0 and 1; r3 becomes the carry. */
.macro four
    add_rows 0, r3, r4
    add_rows 4, r4, r5
    adds r0, r0, #8
    eors r4, r3
    mov r5, r8
    add_pair r5, r3, r4
    mov r8, r5
.endm

/* Of the lanes r4 keep those that have a bit of plane r5 set, if there are any; each lacks so much less then. */
.macro highest worth
    ands r5, r4
    beq 1f
    movs r4, r5
    subs r6, r6, #\worth
1:
.endm

    .thumb_func
bs4nn_small_look_at_list:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0-r2, r4-r7}                     /* stack: at, word, and one more */
    movs r7, r0

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 next spike, r1 column, r2 r8 r9 planes 0 1 2, r10 end of the spikes, r12 record
 */
.Lword:
    str r1, [sp, #4]
    movs r0, r7
    ldm r0!, {r2-r6}                        /* spikes, n, ring, records, stride */
    ldm r0!, {r4, r7}                       /* columns, height */
    muls r6, r1, r6
    adds r5, r5, r6
    mov r12, r5
    muls r1, r7, r1
    adds r1, r1, r4
    lsls r3, r3, #1
    adds r3, r3, r2
    mov r10, r3
    ldrh r0, [r5, #RECORD_NEXT + 2]                /* seen */
    lsls r0, r0, #1
    adds r0, r0, r2
    ldr r2, [r5, #RECORD_PLANES + 4]
    mov r8, r2
    ldr r2, [r5, #RECORD_PLANES + 8]
    mov r9, r2
    ldr r2, [r5, #RECORD_PLANES]

.Lfours:
    movs r6, #0
    mov r7, r10
    subs r7, r7, r0
    cmp r7, #8
    blo .Lrest
    four
    movs r6, r3
    cmp r7, #16
    blo .Lone_four
    four
    eors r3, r6                             /* r6, r3: a pair for plane 2 */
    mov r5, r9
    add_pair r5, r6, r3
    mov r9, r5
    bl .Lup
    b .Lfours
.Lone_four:
    mov r5, r9
    add_bit r5, r6, r3
    mov r9, r5
    movs r6, r3

/* The last spikes, up to three. r6: carry into plane 3. */
.Lrest:
    mov r7, r10
    subs r7, r7, r0
    beq .Lcounted
    row r3, 0
    adds r0, r0, #2
    cmp r7, #4
    blo 1f
    row r4, 0
    adds r0, r0, #2
    eors r4, r3
    add_pair r2, r3, r4
    b 2f
1:  add_bit r2, r3, r4
    movs r3, r4
2:  mov r5, r8
    add_bit r5, r3, r4
    mov r8, r5
    mov r5, r9
    add_bit r5, r4, r3
    mov r9, r5
    orrs r6, r3
    b .Lrest

/* Carry r6 into plane 3 and up. */
.Lup:
    mov r3, r12
    adds r3, r3, #RECORD_PLANES + 12
1:  ldr r5, [r3]
    eors r5, r6
    stm r3!, {r5}
    bics r6, r5
    bne 1b
    bx lr

.Lcounted:
    bl .Lup
    mov r3, r12
    adds r3, r3, #RECORD_PLANES
    mov r4, r8
    mov r5, r9
    stm r3!, {r2, r4, r5}
    ldr r7, [sp]                            /* at, from now on */

/* Find the lanes r4 that lack least, and how much, r6. r3: plane 3. */
.Lhighest:
    mov r4, r12
    ldr r4, [r4, #RECORD_ALIVE]
    ldr r6, [r7, #AT_GOAL]
    ldr r5, [r7, #AT_MORE]
    cmp r5, #0
    bne .Lmore
.Lsix:
    ldr r5, [r3, #8]
    highest 64
    ldr r5, [r3, #4]
    highest 32
    ldr r5, [r3]
    highest 16
    mov r5, r9
    highest 8
    mov r5, r8
    highest 4
    movs r5, r2
    highest 2
    ldr r5, [r7, #AT_ODD]
    cmp r5, #0
    bne .Lodd
.Lgap:
    cmp r6, #0
    ble .Lfire

/* r6: spikes until the word is due. If all lanes of r4 meet a -1 before, it is two more. */
    lsls r5, r6, #1
    adds r5, r5, r0
    ldr r3, [r7, #AT_END]
    cmp r5, r3
    bls 1f
    movs r5, r3
1:  cmp r0, r5
    bhs .Lput
    row r3, 0
    adds r0, r0, #2
    ands r4, r3
    bne 1b
    adds r6, r6, #2

/* Put the word down. */
.Lput:
    ldr r5, [r7, #AT_N]
    ldr r3, [r7, #AT_RING]
    ldr r0, [sp, #4]
    adds r4, r6, r5
    lsls r4, r4, #27                        /* modulo RING_SPIKES, in half-words */
    lsrs r4, r4, #26
    ldrh r2, [r3, r4]
    strh r0, [r3, r4]
    lsls r5, r5, #16
    orrs r2, r5
    mov r3, r12
    ldrh r1, [r3, #RECORD_NEXT]
    str r2, [r3, #RECORD_NEXT]
.Lnext:
    lsls r4, r1, #16                        /* N: no word */
    bmi 1f
    b .Lword
1:  movs r0, r6
    add sp, sp, #12
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

.Lmore:                                     /* r5 planes beyond the sixth */
    str r0, [sp, #8]
    movs r0, #64
    lsls r0, r5
    lsls r5, r5, #2
    adds r3, r3, r5
    adds r3, r3, #12
1:  subs r3, r3, #4
    ldr r5, [r3]
    ands r5, r4
    beq 2f
    movs r4, r5
    subs r6, r6, r0
2:  lsrs r0, r0, #1
    cmp r0, #64
    bne 1b
    subs r3, r3, #12
    ldr r0, [sp, #8]
    b .Lsix

.Lodd:
    ldr r3, [sp, #4]
    ldr r7, [r7, #AT_ODD_STRIDE]
    muls r3, r7, r3
    ldr r5, [r5, r3]
    ldr r7, [sp]
    highest 1
    b .Lgap

/* The lanes r4 fire. */
.Lfire:
    str r0, [sp, #8]
    mov r3, r12
    ldr r5, [r3, #RECORD_ALIVE]
    bics r5, r4
    str r5, [r3, #RECORD_ALIVE]
    mov r10, r1
    mov r11, r2
    ldr r1, [sp, #4]
    ldr r5, [r7, #AT_ROWS]
    cmp r5, #0
    beq .Lfire_in_c
    lsls r1, r1, #6
    adds r5, r5, r1
    ldr r6, [r7, #AT_RUN]
    ldr r1, [r6, #RUN_SENT]
1:  adds r1, r1, #1
    ldr r7, =0x077CB531
    rsbs r0, r4, #0                         /* the lowest bit, alone, and its place */
    ands r0, r4
    bics r4, r0
    muls r0, r7, r0
    lsrs r0, r0, #27
    ldr r7, =bs4nn_index_of_bit
    ldrb r0, [r7, r0]
    lsls r0, r0, #1
    ldrh r0, [r5, r0]
    ldr r3, [r6, #RUN_PLANES]
2:  ldr r2, [r3]                            /* a row of 0 is counted, too */
    eors r2, r0
    stm r3!, {r2}
    bics r0, r2
    bne 2b
    cmp r4, #0
    bne 1b
    str r1, [r6, #RUN_SENT]
.Lfired:
    ldr r7, [sp]
    ldr r0, [sp, #8]
    mov r1, r10
    mov r2, r11
    mov r3, r12
    ldr r4, [r3, #RECORD_ALIVE]
    adds r3, r3, #RECORD_PLANES + 12
    movs r6, r4
    beq 1f
    b .Lhighest
1:  mov r3, r12                             /* nobody left: never put down again */
    ldrh r1, [r3, #RECORD_NEXT]
    b .Lnext

.Lfire_in_c:
    movs r0, r7
    movs r2, r4
    mov r4, r12
    bl bs4nn_small_fire
    mov r12, r4
    b .Lfired

    .balign 4
    .ltorg
#endif

    .size bs4nn_small_look_at_list, . - bs4nn_small_look_at_list
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
