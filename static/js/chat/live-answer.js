/**
 * The answer that is being written: reads its stream, applies each event to the message and shows
 * it.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../net/run.js').Outcome} Outcome
 * @typedef {import('../net/events.js').WireEvent} WireEvent
 * @typedef {object} Start
 * @property {import('../net/run.js').Target} target what to request
 * @property {Message} answer the message that is filled
 * @property {Message|null} question the question that is sent with the request
 * @property {boolean} continued whether the answer shows the text of the one it continues until its
 *   own text arrives
 * @typedef {object} Deps
 * @property {import('../types.js').View} view
 * @property {Partial<import('../net/run.js').Deps>} [network]
 * @property {(live: LiveAnswer, event: import('../net/events.js').ContextEvent) => void} accepted
 *   the server has accepted the request
 * @property {(live: LiveAnswer, outcome: Outcome) => void} ended
 */
import { Run } from '../net/run.js';
import { applyEvent, applyOutcome } from './outcome.js';

export class LiveAnswer {
  answer;
  question;
  #run;
  #view;
  #accepted;
  #showsEarlierText;

  /** @param {Start} start @param {Deps} deps */
  constructor({ target, answer, question, continued }, { view, network, accepted, ended }) {
    this.answer = answer;
    this.question = question;
    this.#view = view;
    this.#accepted = accepted;
    this.#showsEarlierText = continued;
    this.#run = new Run(
      target,
      {
        event: (event) => this.#receive(event),
        gap: (gap) => view.gap(answer, gap),
        stop: (state) => view.stopping(answer, state),
        end: (outcome) => ended(this, outcome),
      },
      network,
    );
  }

  get live() {
    return this.#run.live;
  }

  start() {
    void this.#run.start();
  }

  stop() {
    void this.#run.stop();
  }

  /** @param {import('../net/run.js').NudgeReason} why */
  nudge(why) {
    this.#run.nudge(why);
  }

  close() {
    this.#run.close();
  }

  /** Show how the answer ended. @param {Outcome} outcome */
  finish(outcome) {
    if (this.#showsEarlierText) this.answer.content = '';
    applyOutcome(this.answer, outcome);
    this.#view.finish(this.answer);
  }

  /** @param {WireEvent} event */
  #receive(event) {
    if (event.type === 'context') this.#accepted(this, event);
    if (event.type === 'chunk' && this.#showsEarlierText) {
      this.#receive({ type: 'reset', data: {} });
    }
    if (event.type === 'chunk' || event.type === 'reset') this.#showsEarlierText = false;
    applyEvent(this.answer, event);
    this.#view.stream(this.answer, event);
  }
}
