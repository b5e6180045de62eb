// Package timing tests whether the time of encryption and decryption depends on their secrets, in the manner of dudect.
package timing
