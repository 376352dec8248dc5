#!/usr/bin/env node
// It knows by which name it was started.
require('./regi.js');
