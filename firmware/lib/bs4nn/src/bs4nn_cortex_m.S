/*
 * bs4nn_cortex_m.S - the inner loops of bs4nn.c for Cortex-M, in assembly.
 *
 *     void bs4nn_look_at_list(layer_t *at, uint32_t w);
 *
 * does what look_at_list() of bs4nn.c does, and with it catch_up(), fire_word(), fire_direct() and count_batch()
 * in the most frequent case: the low planes stay in registers, the upper ones are loaded and stored four at
 * a time. One version for Thumb-2 (M3, M4, M7, M33), one for Thumb-1 (M0, M0+, M23).
 */
#if defined(__thumb__) && !defined(BS4NN_PORTABLE)

/* Bytes from the start of layer_t. */
#define AT_N 4
#define AT_RING 8
#define AT_EIGHTHS 12
#define AT_SHIFT 16
#define AT_TOP 20
#define AT_RECORDS 24
#define AT_COLUMNS 28
#define AT_STRIDE 32
#define AT_HEIGHT 36
#define AT_LEVEL 40
#define AT_PAST 44
#define AT_SOONER 48
#define AT_AHEAD 52
#define AT_POSITIVE 56
#define AT_MINUS 60
#define AT_NEAREST 64
#define AT_DIRECT 68
#define AT_ROWS 72
#define AT_RUN 76

/* Bytes from the start of run_t. */
#define RUN_BATCH 0
#define RUN_SLOT 4
#define RUN_COUNTED 8
#define RUN_PLANES 12
#define RUN_ON_THEIR_WAY 16

/* Bytes from plane 3 of a word of neurons to its record. */
#define ALIVE (-24)
#define NEXT (-20)
#define SEEN (-16)

#define FAR 16
#define RING 32
#define BATCH_BYTES 32
#define MIN_PLANES 7

/* Bytes of stack, for whoever adds them up: of the function, and of its counting of a batch. */
#define LOOK_STACK 48
#define BATCH_STACK 48

    .syntax unified
    .thumb
    .section .text.bs4nn_look_at_list, "ax", %progbits
    .balign 4
    .global bs4nn_look_at_list
    .type bs4nn_look_at_list, %function
    .thumb_func
bs4nn_look_at_list:

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

    push {r0-r2, r4-r11, lr}                /* stack: at, word, column */

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 links, r1 record, r2 column, r4 spikes left, r5 last spike, r6 r7 r8 planes 0 1 2, r10 drop
 */
.Lword:
    str r1, [sp, #4]
    add r2, r0, #AT_RECORDS
    ldm r2, {r3, r4, r5, r6}
    mla r2, r1, r6, r4
    mla r1, r1, r5, r3
    ldm r0, {r0, r9, r10, r11, r12}         /* links, n, ring, eighths, shift */
    ldm r1!, {r3, r4, r5, r6, r7, r8}       /* alive, next, seen, planes; r1 at plane 3 from now on */
    add r12, r12, r5, lsr #16
    sub r10, r11, r12, lsr #4
    sub r4, r9, r5, lsr #16
    uxth r5, r5
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
    ldr r0, [sp]                            /* at, from now on */
    ldr r9, [r0, #AT_N]
    orr r5, r5, r9, lsl #16
    stmdb r1, {r5, r6, r7, r8}
    ldr r4, [r1, #ALIVE]
    cmp r10, #0
    ldm r1, {r9, r11, r12, lr}
    bne .Ldown

    eor r9, r9, r3                          /* add the carry; r5: lanes with all planes set */
    bic r3, r3, r9
    and r5, r4, r9
    eor r11, r11, r3
    bic r3, r3, r11
    and r5, r5, r11
    eor r12, r12, r3
    bic r3, r3, r12
    and r5, r5, r12
    eor lr, lr, r3
    bic r3, r3, lr
    and r5, r5, lr
    stm r1, {r9, r11, r12, lr}
    ldr r10, [r0, #AT_TOP]
    subs r10, r10, #MIN_PLANES
    beq .Lsigned
    add r9, r1, #16
4:  ldr lr, [r9]
    eor lr, lr, r3
    bic r3, r3, lr
    and r5, r5, lr
    str lr, [r9], #4
    subs r10, r10, #1
    bne 4b

/* r4 alive lanes, r5 those of them from -8 to -1, lr the sign */
.Lsigned:
    ldr r12, [r0, #AT_PAST]
    bics r3, r4, lr
    ldr r9, [r0, #AT_LEVEL]
    beq .Lminus
    cmp r12, #0
    bne .Lfire_past

/* Of the lanes r3 find those that lack least to level r9. */
.Lnear:
    ands r12, r3, r8
    itt ne
    movne r3, r12
    subne r9, r9, #4
    ands r12, r3, r7
    itt ne
    movne r3, r12
    subne r9, r9, #2
    ands r12, r3, r6
    itt ne
    movne r3, r12
    subne r9, r9, #1
.Lgap:
    ldr r10, [r0, #AT_SOONER]
    rsbs r9, r10, r9, lsl #1
    ble .Lfire

/* r9: spikes until the word is due. If all lanes of r3 meet a -1 before, it is two more. */
.Lpeek:
    ldr r4, [r0, #AT_AHEAD]
    cmp r4, r9
    it hs
    movhs r4, r9
    cbz r4, .Lput
    ldr r6, [r0]
    ldrh r5, [r1, #SEEN]
5:  ldrh r5, [r6, r5, lsl #1]
    ldr r7, [r2, r5, lsl #2]
    ands r3, r3, r7
    beq .Llater
    subs r4, r4, #1
    bne 5b

/* Put the word down. */
.Lput:
    cmp r9, #FAR
    it hi
    movhi r9, #FAR
    ldrd r4, r5, [r0, #AT_N]
    ldr r7, [sp, #4]
    add r4, r4, r9
    and r4, r4, #RING - 1
    ldrh r6, [r5, r4, lsl #1]
    strh r7, [r5, r4, lsl #1]
    ldr r5, [r1, #NEXT]
    str r6, [r1, #NEXT]
.Lnext:
    lsls r4, r5, #16                        /* N: no word */
    mov r1, r5
    bpl .Lword
    add sp, sp, #12
    pop {r4-r11, pc}

.Llater:
    add r9, r9, #2
    b .Lput

.Lminus:
    movs r3, r5
    add r9, r9, #8
    bne .Lnear
    mov r3, r4                              /* all are far off */
    add r9, r9, #1
    b .Lgap

.Lripple:                                   /* r3 into plane 7 and up */
    ldr r9, [sp]
    ldr r9, [r9, #AT_TOP]
    mov r12, r1
6:  cmp r9, #MIN_PLANES
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
    and r5, r4, r9
    eor r11, r11, r3
    and r3, r3, r11
    and r5, r5, r11
    eor r12, r12, r3
    and r3, r3, r12
    and r5, r5, r12
    eor lr, lr, r3
    and r3, r3, lr
    and r5, r5, lr
    stm r1, {r9, r11, r12, lr}
    ldr r10, [r0, #AT_TOP]
    subs r10, r10, #MIN_PLANES
    beq .Lsigned
    add r9, r1, #16
9:  ldr lr, [r9]
    eor lr, lr, r3
    and r3, r3, lr
    and r5, r5, lr
    str lr, [r9], #4
    subs r10, r10, #1
    bne 9b
    b .Lsigned

/* Some lanes may have reached the level. r3 holds those with the largest counter, which lack (r9 + r10) / 2. */
.Lfire:
    ldr r11, [r0, #AT_DIRECT]
    cmp r11, #0
    beq .Lfire_in_c
    adds r12, r9, r10
    beq .Lfired
    mov r12, #0
    b .Lcompare

/* Some lanes from 0 on may have gone past 7: r12 shall have them. */
.Lfire_past:
    ldr r11, [r0, #AT_DIRECT]
    cmp r11, #0
    beq .Lfire_in_c
    mov r12, #0
    mov r11, r1
    ldr r10, [r0, #AT_TOP]
    sub r10, r10, #4
1:  ldr r3, [r11], #4
    orr r12, r12, r3
    subs r10, r10, #1
    bne 1b

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
.Lcompare:
    ldr r9, [r0, #AT_LEVEL]
    bic r3, r4, lr
    tst r9, #1
    ite ne
    movne r10, r6
    moveq r10, #-1
    lsls r9, r9, #30
    ite mi
    andmi r10, r10, r7
    orrpl r10, r10, r7
    ite cs
    andcs r10, r10, r8
    orrcc r10, r10, r8
    orr r10, r10, r12
    ands r3, r3, r10
    beq .Lleft

/* The lanes r3 fire: their rows go into the batch of the output layer. */
.Lfired:
    ldr r9, [r0, #AT_ROWS]
    ldr r12, [r0, #AT_RUN]
    str r2, [sp, #8]
    ldr r10, [sp, #4]
    ldrd r2, r11, [r12]                     /* batch, slot */
    str r11, [r12, #RUN_ON_THEIR_WAY]       /* any number but 0 */
    bic r4, r4, r3
    str r4, [r1, #ALIVE]
    add r9, r9, r10, lsl #6
    add r2, r2, #BATCH_BYTES
    mov r10, #0x80000000
    rbit r3, r3
2:  clz r12, r3
    lsr r0, r10, r12
    ldrh r12, [r9, r12, lsl #1]
    str r12, [r11], #4
    cmp r11, r2
    beq .Lbatch
3:  bics r3, r3, r0
    bne 2b
    ldr r0, [sp]
    ldr r2, [sp, #8]
    ldr r12, [r0, #AT_RUN]
    str r11, [r12, #RUN_SLOT]
    cmp r4, #0
    beq .Lnobody
    and r5, r5, r4

/* Go on with the lanes that are left. */
.Lleft:
    ldr r9, [r0, #AT_LEVEL]
    bics r3, r4, lr
    bne .Lnear
    b .Lminus

.Lnobody:                                   /* never put down again */
    ldr r5, [r1, #NEXT]
    b .Lnext

/* Count a full batch, which ends at r11; then it starts anew. */
.Lbatch:
    push {r0-r10, lr}
    ldr r0, [sp, #BATCH_STACK]
    ldr r0, [r0, #AT_RUN]
    ldrd r1, r2, [r0, #RUN_COUNTED]
    add r1, r1, #8
    str r1, [r0, #RUN_COUNTED]
    ldm r2, {r3, r4, r5}
    ldmdb r11!, {r0, r1, r6, r7}
    full_add r3, r0, r1
    full_add r3, r6, r7
    full_add r4, r0, r6
    ldmdb r11!, {r6, r7, r8, r9}
    full_add r3, r6, r7
    full_add r3, r8, r9
    full_add r4, r6, r8
    full_add r5, r0, r6
    stm r2!, {r3, r4, r5}
    cmp r0, #0
    beq 5f
4:  ldr r3, [r2]
    eor r3, r3, r0
    str r3, [r2], #4
    bics r0, r0, r3
    bne 4b
5:  pop {r0-r10, lr}
    b 3b

/* Firing of other kinds is left to fire_word() of bs4nn.c. */
.Lfire_in_c:
    bic r3, r4, lr
    strd r3, r5, [r0, #AT_POSITIVE]
    mov r4, r1
    mov r5, r2
    subs r1, r1, #-ALIVE
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov r1, r4
    mov r2, r5
    movs r9, r0
    ldr r0, [sp]
    beq .Lnobody
    ldr r3, [r0, #AT_NEAREST]
    b .Lpeek

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

    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0-r2, r4-r7}                     /* stack: at, word, column */

/*
 * Let word r1 catch up with the spikes that it has missed.
 * r0 links, r1 column, r2 last spike, r3 r8 r9 planes 0 1 2, r10 spikes left, r12 plane 3, lr drop
 */
.Lword:
    str r1, [sp, #4]
    ldr r2, [r0, #AT_HEIGHT]
    muls r2, r1, r2
    ldr r3, [r0, #AT_COLUMNS]
    adds r2, r2, r3
    str r2, [sp, #8]
    ldr r3, [r0, #AT_STRIDE]
    muls r1, r3, r1
    ldr r3, [r0, #AT_RECORDS]
    adds r1, r1, r3
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
    subs r6, r6, #MIN_PLANES
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
    subs r5, r5, #MIN_PLANES
    beq .Lsigned
4:  ldr r6, [r1, #16]
    eors r6, r4
    str r6, [r1, #16]
    bics r4, r6
    ands r7, r6
    adds r1, r1, #4
    subs r5, r5, #1
    bne 4b

/* r2 alive lanes, r7 those of them from -8 to -1, r6 the sign */
.Lsigned:
    mov r11, r6
    ldr r1, [r0, #AT_LEVEL]
    movs r5, r2
    bics r5, r6
    beq .Lminus
    ldr r4, [r0, #AT_PAST]
    cmp r4, #0
    bne .Lto_fire_past

/* Of the lanes r5 find those that lack least to level r1. */
.Lnear:
    mov r6, r9
    ands r6, r5
    beq 6f
    movs r5, r6
    subs r1, r1, #4
6:  mov r6, r8
    ands r6, r5
    beq 7f
    movs r5, r6
    subs r1, r1, #2
7:  movs r6, r3
    ands r6, r5
    beq .Lgap
    movs r5, r6
    subs r1, r1, #1
.Lgap:
    lsls r1, r1, #1
    ldr r6, [r0, #AT_SOONER]
    subs r1, r1, r6
    ble .Lto_fire

/* r1: spikes until the word is due. If all lanes of r5 meet a -1 before, it is two more. */
.Lpeek:
    ldr r4, [r0, #AT_AHEAD]
    cmp r4, r1
    bls 1f
    movs r4, r1
1:  cmp r4, #0
    beq .Lput
    ldr r6, [r0]
    mov r7, r12
    subs r7, r7, #-SEEN
    ldrh r2, [r7]
    ldr r3, [sp, #8]
2:  lsls r2, r2, #1
    ldrh r2, [r6, r2]
    lsls r7, r2, #2
    ldr r7, [r3, r7]
    ands r5, r7
    beq .Llater
    subs r4, r4, #1
    bne 2b

/* Put the word down. */
.Lput:
    cmp r1, #FAR
    bls 1f
    movs r1, #FAR
1:  ldr r4, [r0, #AT_N]
    ldr r5, [r0, #AT_RING]
    ldr r7, [sp, #4]
    adds r4, r4, r1
    lsls r4, r4, #27                        /* modulo RING, in half-words */
    lsrs r4, r4, #26
    ldrh r6, [r5, r4]
    strh r7, [r5, r4]
    mov r3, r12
    subs r3, r3, #-NEXT
    ldr r1, [r3]
    str r6, [r3]
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
    adds r1, r1, #2
    b .Lput

.Lminus:
    adds r1, r1, #8
    movs r5, r7
    bne .Lnear
    movs r5, r2                             /* all are far off */
    adds r1, r1, #1
    b .Lgap

.Lto_fire:
    b .Lfire
.Lto_fire_past:
    b .Lfire_past

.Ldown:                                     /* r5: the level has gone up by so many eights */
    mov r10, r5
    cmp r5, #1
    beq 12f
    movs r6, #0
    mvns r6, r6
    mov r11, r4
    mov lr, r3
    movs r3, r1
    ldr r5, [r0, #AT_TOP]
    subs r5, r5, #3
11: ldr r4, [r3]
    eors r4, r6
    stm r3!, {r4}
    ands r6, r4
    subs r5, r5, #1
    bne 11b
    mov r3, lr
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
    subs r5, r5, #MIN_PLANES
    beq 14f
13: ldr r6, [r1, #16]
    eors r6, r4
    str r6, [r1, #16]
    ands r4, r6
    ands r7, r6
    adds r1, r1, #4
    subs r5, r5, #1
    bne 13b
14: b .Lsigned

/* Some lanes may have reached the level. r5 holds those with the largest counter, which lack (r1 + r6) / 2. */
.Lfire:
    ldr r4, [r0, #AT_DIRECT]
    cmp r4, #0
    beq .Lto_c
    adds r4, r1, r6
    beq .Lfired
    movs r4, #0
    b .Lcompare
.Lto_c:
    b .Lfire_in_c

/* Some lanes from 0 on may have gone past 7: r4 shall have them. */
.Lfire_past:
    ldr r4, [r0, #AT_DIRECT]
    cmp r4, #0
    beq .Lto_c
    movs r4, #0
    mov r1, r12
    ldr r6, [r0, #AT_TOP]
    subs r6, r6, #4
1:  ldm r1!, {r5}
    orrs r4, r5
    subs r6, r6, #1
    bne 1b

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
.Lcompare:
    ldr r6, [r0, #AT_LEVEL]
    movs r5, r3
    lsrs r6, r6, #1
    bcs 1f
    movs r5, #0
    mvns r5, r5
1:  mov r1, r8
    lsrs r6, r6, #1
    bcs 2f
    orrs r5, r1
    b 3f
2:  ands r5, r1
3:  mov r1, r9
    lsrs r6, r6, #1
    bcs 4f
    orrs r5, r1
    b 5f
4:  ands r5, r1
5:  orrs r5, r4
    ands r5, r2
    mov r4, r11
    bics r5, r4
    beq .Lleft

/* The lanes r5 fire: their rows go into the batch of the output layer. */
.Lfired:
    bics r2, r5
    mov r6, r12
    subs r6, r6, #-ALIVE
    str r2, [r6]
    mov r10, r3
    mov lr, r7
    ldr r6, [r0, #AT_RUN]
    ldr r4, [r0, #AT_ROWS]
    ldr r1, [sp, #4]
    lsls r1, r1, #6
    adds r4, r4, r1
    ldr r1, [r6, #RUN_SLOT]
    str r1, [r6, #RUN_ON_THEIR_WAY]         /* any number but 0 */
    ldr r3, [r6, #RUN_BATCH]
    adds r3, r3, #BATCH_BYTES
    ldr r2, .Ldebruijn
    ldr r6, .Lplaces
2:  rsbs r0, r5, #0                         /* the lowest bit, alone, and its place */
    ands r0, r5
    bics r5, r0
    muls r0, r2, r0
    lsrs r0, r0, #27
    ldrb r0, [r6, r0]
    ldrh r0, [r4, r0]
    stm r1!, {r0}
    cmp r1, r3
    beq .Lbatch
3:  cmp r5, #0
    bne 2b
    ldr r0, [sp]
    ldr r6, [r0, #AT_RUN]
    str r1, [r6, #RUN_SLOT]
    mov r6, r12
    subs r6, r6, #-ALIVE
    mov r3, r10
    mov r7, lr
    ldr r2, [r6]
    cmp r2, #0
    beq .Lnobody
    ands r7, r2

/* Go on with the lanes that are left. */
.Lleft:
    ldr r1, [r0, #AT_LEVEL]
    movs r5, r2
    mov r6, r11
    bics r5, r6
    beq 1f
    b .Lnear
1:  b .Lminus

.Lnobody:                                   /* never put down again */
    mov r3, r12
    subs r3, r3, #-NEXT
    ldr r1, [r3]
    b .Lnext

/* Count a full batch, which ends at r3; then it starts anew. */
.Lbatch:
    push {r2-r6}
    movs r7, r3
    subs r7, r7, #BATCH_BYTES
    ldr r0, [sp, #20]
    ldr r0, [r0, #AT_RUN]
    ldr r1, [r0, #RUN_COUNTED]
    adds r1, r1, #8
    str r1, [r0, #RUN_COUNTED]
    ldr r0, [r0, #RUN_PLANES]
    ldr r1, [r0]
    ldr r4, [r0, #4]
    ldm r7!, {r2, r3}
    full_add r1, r2, r3, r5
    ldm r7!, {r3, r5}
    full_add r1, r3, r5, r6
    full_add r4, r2, r3, r5
    ldm r7!, {r3, r5}
    full_add r1, r3, r5, r6
    ldm r7!, {r5, r6}
    full_add r1, r5, r6, r7
    full_add r4, r3, r5, r6
    stm r0!, {r1, r4}
    ldr r1, [r0]
    full_add r1, r2, r3, r5
    stm r0!, {r1}
    cmp r2, #0
    beq 5f
4:  ldr r1, [r0]
    eors r1, r2
    stm r0!, {r1}
    bics r2, r1
    bne 4b
5:  pop {r2-r6}
    movs r1, r3
    subs r1, r1, #BATCH_BYTES
    b 3b

/* Firing of other kinds is left to fire_word() of bs4nn.c. */
.Lfire_in_c:
    movs r5, r2
    mov r6, r11
    bics r5, r6
    str r5, [r0, #AT_POSITIVE]
    str r7, [r0, #AT_MINUS]
    mov r1, r12
    subs r1, r1, #-ALIVE
    mov r10, r1
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov r1, r10
    adds r1, r1, #-ALIVE
    mov r12, r1
    movs r1, r0
    ldr r0, [sp]
    beq .Lnobody
    ldr r5, [r0, #AT_NEAREST]
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
