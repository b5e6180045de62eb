package mxcsr
