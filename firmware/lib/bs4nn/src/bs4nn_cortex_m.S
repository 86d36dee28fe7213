/*
 * bs4nn_cortex_m.S - the inner loop of bs4nn.c for Cortex-M, in assembly.
 *
 *     uint32_t bs4nn_catch_up(layer_t *at, uint32_t *record, const uint32_t *column);
 *
 * does what catch_up() of bs4nn.c does, step by step, with the low planes in registers and the upper ones
 * loaded and stored four at a time. One version for Thumb-2 (M3, M4, M7, M33), one for Thumb-1 (M0, M0+, M23).
 */
#if defined(__thumb__) && !defined(BS4NN_PORTABLE)

/* Bytes from the start of layer_t. */
#define AT_N 4
#define AT_EIGHTHS 8
#define AT_SHIFT 12
#define AT_TOP 16
#define AT_LEVEL 20
#define AT_POSITIVE 24
#define AT_MINUS 28
#define AT_NEAREST 32

/* Bytes of stack, for whoever adds them up. */
#define CATCH_UP_STACK 40

    .syntax unified
    .thumb
    .section .text.bs4nn_catch_up, "ax", %progbits
    .balign 4
    .global bs4nn_catch_up
    .type bs4nn_catch_up, %function
    .thumb_func
bs4nn_catch_up:

#if __ARM_ARCH_ISA_THUMB == 2

/* sum += a + b in every lane; a becomes the carry. */
.macro full_add sum, a, b
    eor lr, \sum, \a
    and \a, \sum, \a
    eor \sum, lr, \b
    and lr, lr, \b
    orr \a, \a, lr
.endm

/* Add the rows of the next two spikes to plane 0. */
.macro pair carry
    ldrh r5, [r0, r5, lsl #1]
    ldr \carry, [r2, r5, lsl #2]
    ldrh r5, [r0, r5, lsl #1]
    ldr r12, [r2, r5, lsl #2]
    full_add r6, \carry, r12
.endm

/* r0 links, r1 record, r2 column, r4 spikes left, r5 last spike, r6 r7 r8 planes 0 1 2, r10 drop */
    push {r0, r4-r11, lr}
    ldm r0, {r0, r9, r10, r11}              /* links, n, eighths, shift */
    ldm r1!, {r3, r4, r5, r6, r7, r8}       /* alive, next, seen, planes; r1 now at plane 3 */
    lsr r4, r5, #16
    uxth r5, r5
    add r11, r11, r4
    sub r10, r10, r11, lsr #4
    sub r4, r9, r4
    cmp r4, #8
    blo .Lrest

.Leight:
    pair r3
    pair r11
    full_add r7, r3, r11
    mov r9, r3
    pair r3
    pair r11
    full_add r7, r3, r11
    full_add r8, r3, r9
    subs r4, r4, #8
    beq .Lcounted                           /* r3: carry into plane 3 */
    ldm r1, {r9, r11, r12, lr}
    eor r9, r9, r3
    bic r3, r3, r9
    eor r11, r11, r3
    bic r3, r3, r11
    eor r12, r12, r3
    bic r3, r3, r12
    eor lr, lr, r3
    bics r3, r3, lr
    stm r1, {r9, r11, r12, lr}
    bne .Lripple
.Lrippled:
    cmp r4, #8
    bhs .Leight

.Lrest:
    mov r9, #0                              /* carries into plane 2: r9 and r11 */
    lsls lr, r4, #30                        /* C: four more, N: two more; nothing below touches the flags */
    bcc 1f
    pair r3
    pair r11
    full_add r7, r3, r11
    mov r9, r3
1:  mov r11, #0
    bpl 2f
    pair r3
    and r11, r7, r3
    eor r7, r7, r3
2:  tst r4, #1
    beq 3f
    ldrh r5, [r0, r5, lsl #1]
    ldr r3, [r2, r5, lsl #2]
    and r12, r6, r3
    eor r6, r6, r3
    and r3, r7, r12
    orr r11, r11, r3
    eor r7, r7, r12
3:  full_add r8, r9, r11
    mov r3, r9

.Lcounted:
    ldr r0, [sp]                            /* at */
    ldr r9, [r0, #AT_N]
    orr r5, r5, r9, lsl #16
    stmdb r1, {r5, r6, r7, r8}
    ldr r4, [r1, #-24]                      /* alive */
    cmp r10, #0
    ldm r1, {r9, r11, r12, lr}
    bne .Ldown

    eor r9, r9, r3                          /* add the carry; r2: lanes with all planes set */
    bic r3, r3, r9
    and r2, r4, r9
    eor r11, r11, r3
    bic r3, r3, r11
    and r2, r2, r11
    eor r12, r12, r3
    bic r3, r3, r12
    and r2, r2, r12
    eor lr, lr, r3
    bic r3, r3, lr
    and r2, r2, lr
    stm r1, {r9, r11, r12, lr}
    ldr r10, [r0, #AT_TOP]
    subs r10, r10, #7
    beq .Lsigned
4:  ldr lr, [r1, #16]
    eor lr, lr, r3
    bic r3, r3, lr
    and r2, r2, lr
    str lr, [r1, #16]
    add r1, r1, #4
    subs r10, r10, #1
    bne 4b

.Lsigned:                                   /* lr: the sign */
    bics r3, r4, lr
    strd r3, r2, [r0, #AT_POSITIVE]
    ldr r1, [r0, #AT_LEVEL]
    bne 5f
    movs r3, r2
    add r1, r1, #8
    beq .Lfar
5:  ands r2, r3, r8
    itt ne
    movne r3, r2
    subne r1, r1, #4
    ands r2, r3, r7
    itt ne
    movne r3, r2
    subne r1, r1, #2
    ands r2, r3, r6
    itt ne
    movne r3, r2
    subne r1, r1, #1
    str r3, [r0, #AT_NEAREST]
    mov r0, r1
    pop {r3, r4-r11, pc}

.Lfar:
    str r4, [r0, #AT_NEAREST]
    add r0, r1, #1
    pop {r3, r4-r11, pc}

.Lripple:                                   /* r3 into plane 7 and up */
    ldr r9, [sp]
    ldr r9, [r9, #AT_TOP]
    mov r12, r1
6:  cmp r9, #7
    beq .Lrippled
    ldr r11, [r12, #16]
    eor r11, r11, r3
    bics r3, r3, r11
    str r11, [r12, #16]
    add r12, r12, #4
    sub r9, r9, #1
    bne 6b
    b .Lrippled

.Ldown:                                     /* the level has gone up by eights */
    cmp r10, #1
    beq 8f
    mov r9, #-1
    mov r11, r1
    ldr r12, [r0, #AT_TOP]
    sub r12, r12, #3
7:  ldr lr, [r11]
    eor lr, lr, r9
    str lr, [r11], #4
    and r9, r9, lr
    subs r12, r12, #1
    bne 7b
    sub r10, r10, #1
    b .Ldown
8:  ldm r1, {r9, r11, r12, lr}
    mvn r3, r3                              /* what is carried makes up for the last eight */
    eor r9, r9, r3
    and r3, r3, r9
    and r2, r4, r9
    eor r11, r11, r3
    and r3, r3, r11
    and r2, r2, r11
    eor r12, r12, r3
    and r3, r3, r12
    and r2, r2, r12
    eor lr, lr, r3
    and r3, r3, lr
    and r2, r2, lr
    stm r1, {r9, r11, r12, lr}
    ldr r10, [r0, #AT_TOP]
    subs r10, r10, #7
    beq .Lsigned
9:  ldr lr, [r1, #16]
    eor lr, lr, r3
    and r3, r3, lr
    and r2, r2, lr
    str lr, [r1, #16]
    add r1, r1, #4
    subs r10, r10, #1
    bne 9b
    b .Lsigned

#else /* Thumb-1 */

/* sum += a + b in every lane; a becomes the carry. */
.macro full_add sum, a, b, spare
    movs \spare, \sum
    ands \spare, \a
    eors \sum, \a
    movs \a, \sum
    ands \a, \b
    eors \sum, \b
    orrs \a, \spare
.endm

.macro row to
    lsls r2, r2, #1
    ldrh r2, [r0, r2]
    lsls \to, r2, #2
    ldr \to, [r1, \to]
.endm

/* Add the rows of the next two spikes to plane 0. */
.macro pair carry, second, spare
    row \carry
    row \second
    full_add r3, \carry, \second, \spare
.endm

/* Add r4 and r5 to plane 1; the carry goes to r4. */
.macro add_twos
    mov r6, r8
    full_add r6, r4, r5, r7
    mov r8, r6
.endm

/* r0 links, r1 column, r2 last spike, r3 r8 r9 planes 0 1 2, r10 spikes left, r12 plane 3, stack: drop */
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0, r4-r7}
    ldr r3, [r1, #8]                        /* seen */
    ldr r4, [r0, #AT_N]
    ldr r5, [r0, #AT_EIGHTHS]
    ldr r6, [r0, #AT_SHIFT]
    lsrs r7, r3, #16
    adds r6, r6, r7
    lsrs r6, r6, #4
    subs r5, r5, r6
    mov lr, r5                              /* drop */
    subs r7, r4, r7
    uxth r4, r3
    ldr r5, [r1, #16]
    mov r8, r5
    ldr r5, [r1, #20]
    mov r9, r5
    ldr r3, [r1, #12]
    adds r1, r1, #24
    mov r12, r1
    movs r1, r2
    movs r2, r4
    ldr r0, [r0]
    mov r10, r7
    cmp r7, #8
    bhs .Leight
    b .Lrest

.Leight:
    pair r4, r5, r6
    pair r5, r6, r7
    add_twos
    mov r11, r4
    pair r4, r5, r6
    pair r5, r6, r7
    add_twos
    mov r5, r11
    mov r6, r9
    full_add r6, r4, r5, r7
    mov r9, r6
    mov r7, r10
    subs r7, r7, #8
    mov r10, r7
    bne 0f
    b .Lcounted                             /* r4: carry into plane 3 */
0:  mov r5, r12
    ldr r6, [r5]
    eors r6, r4
    str r6, [r5]
    bics r4, r6
    ldr r6, [r5, #4]
    eors r6, r4
    str r6, [r5, #4]
    bics r4, r6
    ldr r6, [r5, #8]
    eors r6, r4
    str r6, [r5, #8]
    bics r4, r6
    ldr r6, [r5, #12]
    eors r6, r4
    str r6, [r5, #12]
    bics r4, r6
    bne .Lripple
.Lrippled:
    cmp r7, #8
    blo .Lrest
    b .Leight

.Lripple:                                   /* r4 into plane 7 and up */
    ldr r6, [sp]
    ldr r6, [r6, #AT_TOP]
    subs r6, r6, #7
    beq .Lrippled
    mov r11, r3
    adds r5, r5, #16
9:  ldr r3, [r5]
    eors r3, r4
    stm r5!, {r3}
    bics r4, r3
    beq 10f
    subs r6, r6, #1
    bne 9b
10: mov r3, r11
    b .Lrippled

.Lrest:
    movs r4, #0                             /* carries into plane 2: r11 and r7 */
    mov r11, r4
    lsrs r6, r7, #3
    bcc 1f
    pair r4, r5, r6
    pair r5, r6, r7
    add_twos
    mov r11, r4
1:  movs r7, #0
    mov r6, r10
    lsrs r6, r6, #2
    bcc 2f
    pair r4, r5, r6
    mov r5, r8
    movs r7, r5
    ands r7, r4
    eors r5, r4
    mov r8, r5
2:  mov r6, r10
    lsrs r6, r6, #1
    bcc 3f
    row r4
    movs r5, r3
    ands r5, r4
    eors r3, r4
    mov r6, r8
    movs r4, r6
    ands r4, r5
    orrs r7, r4
    eors r6, r5
    mov r8, r6
3:  mov r4, r11
    mov r6, r9
    full_add r6, r4, r7, r5
    mov r9, r6

.Lcounted:
    ldr r0, [sp]                            /* at */
    ldr r5, [r0, #AT_N]
    lsls r5, r5, #16
    orrs r2, r5
    mov r1, r12
    subs r1, r1, #24
    ldr r7, [r1]                            /* alive */
    adds r1, r1, #8
    mov r5, r8
    mov r6, r9
    stm r1!, {r2, r3, r5, r6}
    movs r2, r7
    mov r5, lr
    cmp r5, #0
    beq 0f
    b .Ldown

0:  ldr r6, [r1]                            /* add the carry; r7: lanes with all planes set */
    eors r6, r4
    str r6, [r1]
    bics r4, r6
    ands r7, r6
    ldr r6, [r1, #4]
    eors r6, r4
    str r6, [r1, #4]
    bics r4, r6
    ands r7, r6
    ldr r6, [r1, #8]
    eors r6, r4
    str r6, [r1, #8]
    bics r4, r6
    ands r7, r6
    ldr r6, [r1, #12]
    eors r6, r4
    str r6, [r1, #12]
    bics r4, r6
    ands r7, r6
    ldr r5, [r0, #AT_TOP]
    subs r5, r5, #7
    beq .Lsigned
4:  ldr r6, [r1, #16]
    eors r6, r4
    str r6, [r1, #16]
    bics r4, r6
    ands r7, r6
    adds r1, r1, #4
    subs r5, r5, #1
    bne 4b

.Lsigned:                                   /* r6: the sign */
    ldr r1, [r0, #AT_LEVEL]
    str r7, [r0, #AT_MINUS]
    movs r5, r2
    bics r5, r6
    str r5, [r0, #AT_POSITIVE]
    bne 5f
    adds r1, r1, #8
    movs r5, r7
    beq .Lfar
5:  mov r6, r9
    ands r6, r5
    beq 6f
    movs r5, r6
    subs r1, r1, #4
6:  mov r6, r8
    ands r6, r5
    beq 7f
    movs r5, r6
    subs r1, r1, #2
7:  ands r3, r5
    beq 8f
    movs r5, r3
    subs r1, r1, #1
8:  str r5, [r0, #AT_NEAREST]
    movs r0, r1
.Lreturn:
    pop {r3, r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

.Lfar:
    str r2, [r0, #AT_NEAREST]
    adds r0, r1, #1
    b .Lreturn

.Ldown:                                     /* r5: the level has gone up by so many eights */
    mov r10, r5
    cmp r5, #1
    beq 12f
    movs r6, #0
    mvns r6, r6
    mov r11, r4
    mov r12, r3
    movs r3, r1
    ldr r5, [r0, #AT_TOP]
    subs r5, r5, #3
11: ldr r4, [r3]
    eors r4, r6
    stm r3!, {r4}
    ands r6, r4
    subs r5, r5, #1
    bne 11b
    mov r3, r12
    mov r4, r11
    mov r5, r10
    subs r5, r5, #1
    b .Ldown
12: mvns r4, r4                             /* what is carried makes up for the last eight */
    ldr r6, [r1]
    eors r6, r4
    str r6, [r1]
    ands r4, r6
    ands r7, r6
    ldr r6, [r1, #4]
    eors r6, r4
    str r6, [r1, #4]
    ands r4, r6
    ands r7, r6
    ldr r6, [r1, #8]
    eors r6, r4
    str r6, [r1, #8]
    ands r4, r6
    ands r7, r6
    ldr r6, [r1, #12]
    eors r6, r4
    str r6, [r1, #12]
    ands r4, r6
    ands r7, r6
    ldr r5, [r0, #AT_TOP]
    subs r5, r5, #7
    beq .Lsigned
13: ldr r6, [r1, #16]
    eors r6, r4
    str r6, [r1, #16]
    ands r4, r6
    ands r7, r6
    adds r1, r1, #4
    subs r5, r5, #1
    bne 13b
    b .Lsigned

#endif

    .size bs4nn_catch_up, . - bs4nn_catch_up
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
