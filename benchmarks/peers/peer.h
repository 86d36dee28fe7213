/*
 * peer.h - what main.c asks of a peer: of what a user could take instead of our kernel.
 */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>

#define PEER_INPUTS 784
#define PEER_HIDDEN 600
#define PEER_OUTPUTS 10

/* The class of an image of PEER_INPUTS intensities, and the whole numbers that decided, one a class. */
int32_t peer_classify(const uint8_t *pixels, int32_t *scores);

/* The first of the highest scores. */
static inline int32_t peer_argmax(const int32_t *scores)
{
    int32_t best = 0;
    for (int32_t i = 1; i < PEER_OUTPUTS; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

#endif /* PEER_H */
