/*
 * bnn_xnor.c - a binary network: pixels are bright or dark, a weight is one bit, and a neuron counts the synapses
 * whose bit differs from its input's, 32 at a time by exclusive or (which is xnor, counting the others).
 *
 * Batch normalisation is folded: a hidden neuron is on if at most `limit` synapses differ, an output's score
 * is a bias less twice the synapses that differ.
 */
#include "model.h"
#include "peer.h"

/* A full adder of three words: the sum stays in *a, the carry is returned. Five instructions on every core. */
static inline uint32_t add3(uint32_t *a, uint32_t b, uint32_t c)
{
    uint32_t half = *a ^ b;
    uint32_t other = *a ^ c;
    *a = half ^ c;
    return (other & ~half) ^ c;
}

/* Add the differing bits of eight words; the carry, worth eight, is returned. */
static inline uint32_t add8(const uint32_t *x, const uint32_t *w, uint32_t *ones, uint32_t *twos, uint32_t *fours)
{
    uint32_t twos_a = add3(ones, x[0] ^ w[0], x[1] ^ w[1]);
    uint32_t twos_b = add3(ones, x[2] ^ w[2], x[3] ^ w[3]);
    uint32_t fours_a = add3(twos, twos_a, twos_b);
    twos_a = add3(ones, x[4] ^ w[4], x[5] ^ w[5]);
    twos_b = add3(ones, x[6] ^ w[6], x[7] ^ w[7]);
    return add3(fours, fours_a, add3(twos, twos_a, twos_b));
}

/* Bits set in each nibble of low + 2 * high: at most 12. */
static inline uint32_t count_nibbles(uint32_t low, uint32_t high)
{
    low -= low >> 1 & 0x55555555u;
    high -= high >> 1 & 0x55555555u;
    low = (low & 0x33333333u) + (low >> 2 & 0x33333333u);
    high = (high & 0x33333333u) + (high >> 2 & 0x33333333u);
    return low + (high << 1);
}

/* The sum of the two nibbles in each byte. */
static inline uint32_t nibbles_to_bytes(uint32_t word)
{
    return (word & 0x0F0F0F0Fu) + (word >> 4 & 0x0F0F0F0Fu);
}

/* Differing bits of two rows of 25 words, by carry-save adders (Harley and Seal). */
static uint32_t differing(const uint32_t *x, const uint32_t *w)
{
    uint32_t ones = x[24] ^ w[24], twos = 0, fours = 0;
    uint32_t eights = add8(x, w, &ones, &twos, &fours);
    uint32_t eights_b = add8(x + 8, w + 8, &ones, &twos, &fours);
    uint32_t sixteens = add3(&eights, eights_b, add8(x + 16, w + 16, &ones, &twos, &fours));
    uint32_t bytes = nibbles_to_bytes(count_nibbles(sixteens, 0)) << 2;
    bytes += nibbles_to_bytes(count_nibbles(fours, eights));
    bytes = (bytes << 2) + nibbles_to_bytes(count_nibbles(ones, twos)); /* at most 248 */
    bytes = (bytes & 0x00FF00FFu) + (bytes >> 8 & 0x00FF00FFu);
    return (bytes + (bytes >> 16)) & 0xFFFFu;
}

int32_t peer_classify(const uint8_t *pixels, int32_t *scores)
{
    uint32_t inputs[BNN_WORDS] = {0};
    uint32_t hidden[BNN_WORDS] = {0};
    for (uint32_t i = 0; i < PEER_INPUTS; i += 16) {
        uint32_t bits = 0;
        for (uint32_t bit = 0; bit < 16; bit++) {
            bits |= (uint32_t)(pixels[i + bit] >> 7) << bit;
        }
        inputs[i / 32u] |= bits << i % 32u;
    }
    for (uint32_t i = 0; i < PEER_HIDDEN; i++) {
        uint32_t count = differing(inputs, bnn_weights_0 + i * BNN_WORDS);
        hidden[i / 32u] |= (uint32_t)(count <= bnn_limits[i]) << (i % 32u);
    }
    for (uint32_t i = 0; i < PEER_OUTPUTS; i++) {
        uint32_t count = differing(hidden, bnn_weights_1 + i * BNN_WORDS);
        scores[i] = bnn_bias[i] - 2 * (int32_t)count;
    }
    return peer_argmax(scores);
}
