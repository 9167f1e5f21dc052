// The event by which a map tells the program beside it which lines had a say in the cell under the pointer.

const FIRED = "headscript-fired"; // its detail: their numbers in the whole program, from 1
