/* Trains exclusive-or with an object file made by `descent build`: no Descent, no library, no allocation in the model.

   descent build examples/embed/xor.descent -o xor.o --header xor.h
   cc -O2 -I. examples/embed/standalone.c xor.o -o standalone && ./standalone */
#include <stdalign.h>
#include <stdio.h>

#include "xor.h"

static alignas(64) unsigned char memory[XOR_BYTES];

int main(void) {
  const float x[] = {0, 0, 0, 1, 1, 0, 1, 1}, y[] = {0, 1, 1, 0};
  xor_model* model = xor_create(memory, 1);

  float loss = 0;
  for (int i = 0; i < 500; ++i) loss = xor_step(model, x, y, 4);
  printf("loss after %lld steps: %.6f\n", (long long)*xor_steps(model), (double)loss);

  float p[4];
  if (xor_predict(model, x, p, 4) != 0) return 1;
  int right = 1;
  for (int i = 0; i < 4; ++i) {
    printf("%g xor %g = %.4f\n", (double)x[2 * i], (double)x[2 * i + 1], (double)p[i]);
    right = right && (p[i] > 0.5f) == (y[i] > 0.5f);
  }
  return right ? 0 : 1;
}
