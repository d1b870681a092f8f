package main

import (
	"slices"
	"time"
)

// percentile returns what p percent of took are not above. It sorts took. Of none,
// it is 0.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[(len(took)-1)*p/100]
}

// A spread of values is the median and the extremes.
type values struct{ low, median, high float64 }

// summary returns the spread of some values, one for each round; of none, it is 0.
func summary(vs []float64) values {
	if len(vs) == 0 {
		return values{}
	}
	vs = slices.Sorted(slices.Values(vs))
	n := len(vs)
	return values{vs[0], (vs[(n-1)/2] + vs[n/2]) / 2, vs[n-1]}
}

// medianOf returns the median of one of the figures of samples.
func medianOf(samples []sample, figure func(sample) float64) float64 {
	vs := make([]float64, len(samples))
	for i, s := range samples {
		vs[i] = figure(s)
	}
	return summary(vs).median
}

// medians returns a sample of the medians of samples, figure by figure.
func medians(samples []sample) sample {
	return sample{
		Rate:   medianOf(samples, func(s sample) float64 { return s.Rate }),
		P50:    time.Duration(medianOf(samples, func(s sample) float64 { return float64(s.P50) })),
		P99:    time.Duration(medianOf(samples, func(s sample) float64 { return float64(s.P99) })),
		Allocs: medianOf(samples, func(s sample) float64 { return s.Allocs }),
		Value:  medianOf(samples, func(s sample) float64 { return s.Value }),
	}
}
