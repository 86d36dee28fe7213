/* host_run.h - one image through a network: what the forward pass leaves for the backward passes. */
#ifndef BS4NN_HOST_RUN_H
#define BS4NN_HOST_RUN_H

#include "host.h"

#include <math.h>

typedef struct {
    int16_t *potential;  /* (neurons) */
    int16_t *level;      /* (neurons) threshold, or what no potential reaches once the neuron has crossed */
    int16_t *peak;       /* (neurons) highest potential at the end of a step */
    uint16_t *peak_step; /* (neurons) the first step at which it stood there */
    int32_t *time;       /* (neurons) firing time, T = never */
    int32_t *spikes;     /* neurons in the order of their firing times */
    int32_t spike_count;
    int32_t fresh;       /* spikes[fresh ..] have not arrived at the layer above */
} layer_run_t;

typedef struct {
    const host_network_t *network;
    layer_run_t layers[HOST_MAX_LAYERS];
    int32_t *input_time;  /* (inputs) T = never */
    int32_t *inputs;      /* input spikes in the order of their times */
    int32_t *first_at;    /* (T + 1) inputs[first_at[t] .. first_at[t + 1]) fire at step t */
    int32_t response_time;
    int32_t deciding_step; /* of the first output spike, T - 1 if there is none */
    int32_t answer;
    int32_t *readout;     /* (outputs) potentials at the readout step */
    int wants_peaks;      /* set it after run_open if peak and peak_step are to be followed */
    const uint8_t *silent; /* (hidden neurons) set it before an image if some are to stay silent, and ... */
    float kept;            /* ... the share of those that do not */
    void *memory;
} run_t;

/* As `awaited`: no output neuron. */
#define NOBODY (-1)

/* Memory for runs of one network. Returns 0, or -1 without memory. */
int run_open(run_t *run, const host_network_t *network);
void run_close(run_t *run);

/*
 * Run one image (inputs) by SPEC.md until `margin` steps after the first output spike, and on until output neuron
 * `awaited` has fired, at most to the last step. Who has not fired by then has the firing time T.
 */
void run_image(run_t *run, const uint8_t *image, int32_t margin, int32_t awaited);

/* The threshold of neuron j of layer l, where some neurons below may have to stay silent. */
static inline int32_t run_threshold(const run_t *run, int32_t l, int32_t j)
{
    int32_t threshold = run->network->layers[l].thresholds[j];
    return run->silent == NULL || l == 0 ? threshold : (int32_t)((float)threshold * run->kept + 0.5f);
}

/* The surrogate of firing: a triangle of half width `window` around the threshold, 1 at its top. */
static inline float host_surrogate(int32_t peak, int32_t threshold, float window)
{
    float distance = fabsf((float)peak - (float)threshold + 0.5f) / window;
    return distance < 1.0f ? 1.0f - distance : 0.0f;
}

#endif /* BS4NN_HOST_RUN_H */
