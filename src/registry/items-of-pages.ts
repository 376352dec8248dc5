/**
 * Yields the items of pages one by one; the next page is read when its first item is requested. By
 * hand, because an async generator makes several promises for each of the thousands of items.
 */
export class ItemsOfPages<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #pages: AsyncIterator<readonly Item[]>;
  #page: readonly Item[] = [];
  #next = 0;
  #isClosed = false;

  constructor(pages: AsyncIterable<readonly Item[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    return this.#next < this.#page.length ? Promise.resolve(this.#take()) : this.#turn();
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#isClosed = true;
    this.#page = [];
    await this.#pages.return?.();
    return { done: true, value: undefined };
  }

  async #turn(): Promise<IteratorResult<Item, undefined>> {
    while (!this.#isClosed) {
      const page = await this.#pages.next();
      if (page.done === true) break;
      this.#page = page.value;
      this.#next = 0;
      if (page.value.length > 0) return this.#take();
    }
    return { done: true, value: undefined };
  }

  #take(): IteratorResult<Item, undefined> {
    const value = this.#page[this.#next];
    this.#next += 1;
    return { done: false, value: value as Item };
  }
}
