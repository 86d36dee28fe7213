/*
 * main.c - runs a peer on the images that come over the console and counts: 784 bytes in, and out
 * the answer, the ticks of the processor's clock and the scores, 32 bits each.
 */
#include "board.h"
#include "peer.h"

#include <stdbool.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CPACR_FPU (0xFu << 20)

static uint8_t pixels[PEER_INPUTS];

static bool read_image(void)
{
    for (uint32_t i = 0; i < PEER_INPUTS; i++) {
        int byte = board_read();
        if (byte < 0) {
            return false;
        }
        pixels[i] = (uint8_t)byte;
    }
    return true;
}

int main(void)
{
#if defined(__ARM_FP)
    CPACR |= CPACR_FPU;
    __asm__ volatile("dsb\n\tisb");
#endif
    board_init();
    while (read_image()) {
        struct {
            int32_t answer;
            uint32_t ticks;
            int32_t scores[PEER_OUTPUTS];
        } reply = {0};
        (void)board_lap();
        uint32_t empty = board_lap(); /* what the measuring itself takes */
        (void)board_lap();
        reply.answer = peer_classify(pixels, reply.scores);
        uint32_t ticks = board_lap();
        reply.ticks = ticks == BOARD_LAP_TOO_LONG ? ticks : ticks - empty;
        board_write(&reply, sizeof reply);
    }
    return 0;
}
