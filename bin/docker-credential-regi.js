#!/usr/bin/env node
// regi.js checks the name under which it was started.
require('./regi.js');
