/*
 * bs4nn_stages_signals.h - stages of an input that take recordings, in whole numbers (SPEC.md). Generated code of networks
 * with such stages calls them; nobody else needs this.
 *
 * A recording is steps of `channels` values each. `bytes` says that its values are uint8_t (1) or int16_t (2). `to` may be
 * `from` where that is said, otherwise the two have nothing in common.
 */
#ifndef BS4NN_STAGES_SIGNALS_H
#define BS4NN_STAGES_SIGNALS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every channel of `count` values spread from its lowest to its highest value over 0 to 255; `to` takes as many. A channel
 * whose values are all the same becomes 0.
 */
void bs4nn_contrast(const void *from, uint8_t *to, uint32_t count, uint32_t channels, uint32_t bytes);

/*
 * How much each channel grows from a step to the next, held within int16_t. `to` takes `count` values, as many as there are
 * but for those of one step.
 */
void bs4nn_differences(const void *from, int16_t *to, uint32_t count, uint32_t channels, uint32_t bytes);

/*
 * The rounded mean of every `steps` steps, 2 to 255, for each channel. `to` takes `count` values of the same type, and may
 * be `from`. `reciprocal` is floor(65,536 / steps).
 */
void bs4nn_means(const void *from, void *to, uint32_t count, uint32_t channels, uint32_t steps, uint32_t reciprocal,
                 uint32_t bytes);

/*
 * How strong each band of frequencies is in each of `frames` frames.
 *
 *   scratch  words, as many as a frame has steps
 *   cosines  frame / 4 + 1 of them, the nearest to 32,768 cos(2 pi i / frame)
 *   rise     of each frequency from the first edge to below the last one, how far it is from one edge to the next, of 256
 *   form     steps of a frame (16 to 1,024, a power of two), steps from a frame to the next, channels, bands, and the edges,
 *            two more than there are bands, rising from 1 or more to frame / 2 at the most
 *
 * `to` takes frames x channels x bands values.
 */
void bs4nn_spectrum(const int16_t *from, uint8_t *to, void *scratch, const uint16_t *cosines, const uint8_t *rise,
                    const uint16_t *form, uint32_t frames);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_STAGES_SIGNALS_H */
